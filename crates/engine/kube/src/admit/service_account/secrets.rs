//! Accounts that say `kubernetes.io/enforce-mountable-secrets`: their pods use the Secrets that the account lists, and
//! no other.

use serde_json::Value;

use crate::object::meta;
use crate::references::{items, text};

/// The annotation.
const ENFORCE: &str = "kubernetes.io/enforce-mountable-secrets";

/// Whether an account wants it so. What cannot be read as a flag says no, as upstream reads it.
pub(super) fn enforced(account: &Value) -> bool {
    let said = account.pointer("/metadata/annotations").and_then(|all| all.get(ENFORCE)).and_then(Value::as_str);
    matches!(said, Some("1" | "t" | "T" | "TRUE" | "true" | "True"))
}

fn names<'a>(account: &'a Value, list: &str) -> Vec<&'a str> {
    items(account, list).map(|one| text(one, "/name")).collect()
}

/// What a new pod uses that it may not.
pub(super) fn pod(account: &Value, pod: &Value) -> Result<(), String> {
    let (name, known) = (meta(account, "name"), names(account, "/secrets"));
    for volume in items(pod, "/spec/volumes").filter(|v| v.get("secret").is_some_and(Value::is_object)) {
        let secret = text(volume, "/secret/secretName");
        if !known.contains(&secret) {
            return Err(format!(
                "volume with secret.secretName=\"{secret}\" is not allowed because service account {name} does not reference that secret"
            ));
        }
    }
    containers(account, pod, "/spec/initContainers", "init container")?;
    containers(account, pod, "/spec/containers", "container")?;
    let pull = names(account, "/imagePullSecrets");
    for (index, one) in items(pod, "/spec/imagePullSecrets").enumerate() {
        let secret = text(one, "/name");
        if !pull.contains(&secret) {
            return Err(format!(
                "imagePullSecrets[{index}].name=\"{secret}\" is not allowed because service account {name} does not reference that imagePullSecret"
            ));
        }
    }
    Ok(())
}

/// What the ephemeral containers of a pod use that they may not.
pub(super) fn ephemeral(account: &Value, pod: &Value) -> Result<(), String> {
    containers(account, pod, "/spec/ephemeralContainers", "ephemeral container")
}

fn containers(account: &Value, pod: &Value, list: &str, what: &str) -> Result<(), String> {
    let (owner, known) = (meta(account, "name"), names(account, "/secrets"));
    let refused = |of: &str, secret: &str| {
        format!(
            "{what} {of} referencing secret.secretName=\"{secret}\" is not allowed because service account {owner} does not reference that secret"
        )
    };
    for container in items(pod, list) {
        let name = text(container, "/name");
        for variable in items(container, "/env") {
            let Some(key) = variable.pointer("/valueFrom/secretKeyRef").filter(|key| key.is_object()) else { continue };
            let secret = text(key, "/name");
            if !known.contains(&secret) {
                return Err(refused(&format!("{name} with envVar {}", text(variable, "/name")), secret));
            }
        }
        for from in items(container, "/envFrom").filter_map(|from| from.get("secretRef")).filter(|s| s.is_object()) {
            let secret = text(from, "/name");
            if !known.contains(&secret) {
                return Err(refused(&format!("{name} with envFrom"), secret));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_the_secrets_of_the_account_are_used() {
        let account = |flag: &str| {
            json!({"metadata": {"name": "sa", "annotations": {ENFORCE: flag}},
                   "secrets": [{"name": "own"}], "imagePullSecrets": [{"name": "pull"}]})
        };
        assert!(enforced(&account("true")) && !enforced(&account("no")) && !enforced(&json!({})));
        let sa = account("true");
        let with = |spec: Value| pod(&sa, &json!({"spec": spec}));
        let env = |secret: &str| json!([{"name": "c", "env": [{"name": "E", "valueFrom": {"secretKeyRef": {"name": secret}}}]}]);
        let from = |secret: &str| json!([{"name": "c", "envFrom": [{"secretRef": {"name": secret}}]}]);
        let good = json!({"volumes": [{"secret": {"secretName": "own"}}], "containers": env("own"), "initContainers": from("own"),
                          "imagePullSecrets": [{"name": "pull"}]});
        assert_eq!(with(good), Ok(()));
        for bad in [
            json!({"volumes": [{"secret": {"secretName": "x"}}]}),
            json!({"containers": env("x")}),
            json!({"containers": from("x")}),
            json!({"initContainers": env("x")}),
            json!({"imagePullSecrets": [{"name": "own"}]}),
        ] {
            assert!(with(bad.clone()).is_err(), "{bad}");
        }
        let refused = ephemeral(&sa, &json!({"spec": {"ephemeralContainers": env("x")}})).unwrap_err();
        assert!(refused.starts_with("ephemeral container c with envVar E referencing"), "{refused}");
    }
}
