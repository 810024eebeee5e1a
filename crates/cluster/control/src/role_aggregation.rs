//! A ClusterRole with an aggregation rule has the rules of those that it selects
//! (<https://kubernetes.io/docs/reference/access-authn-authz/rbac/#aggregated-clusterroles>).

use std::time::Duration;

use eksile_kube::{Client, StatusError};
use serde_json::{Value, json};

use crate::feed::text;

const ROLES: &str = "/apis/rbac.authorization.k8s.io/v1/clusterroles";
/// Changes that follow each other this closely are one.
const PAUSE: Duration = Duration::from_millis(20);

/// The roles whose rules must change, each with its new rules.
fn plan(roles: &[Value]) -> Vec<(String, Vec<Value>)> {
    let mut changes = Vec::new();
    for role in roles {
        let Some(selectors) = role.pointer("/aggregationRule/clusterRoleSelectors").and_then(Value::as_array) else {
            continue;
        };
        let name = text(role, "/metadata/name");
        let mut rules: Vec<Value> = Vec::new();
        for other in roles.iter().filter(|r| text(r, "/metadata/name") != name) {
            if !selectors.iter().any(|s| selects(s, other)) {
                continue;
            }
            for rule in other["rules"].as_array().into_iter().flatten() {
                if !rules.contains(rule) {
                    rules.push(rule.clone());
                }
            }
        }
        if role["rules"].as_array().cloned().unwrap_or_default() != rules {
            changes.push((name.to_owned(), rules));
        }
    }
    changes
}

fn selects(selector: &Value, role: &Value) -> bool {
    let labels = role.pointer("/metadata/labels");
    let label = |key: &str| labels.and_then(|l| l.get(key)).and_then(Value::as_str);
    let equal = selector["matchLabels"].as_object().into_iter().flatten().all(|(k, v)| label(k) == v.as_str());
    let expressed = selector["matchExpressions"].as_array().into_iter().flatten().all(|expression| {
        let value = label(text(expression, "/key"));
        let among = expression["values"].as_array().is_some_and(|l| l.iter().any(|v| v.as_str() == value));
        match text(expression, "/operator") {
            "In" => value.is_some() && among,
            "NotIn" => value.is_none() || !among,
            "Exists" => value.is_some(),
            "DoesNotExist" => value.is_none(),
            _ => false,
        }
    });
    equal && expressed
}

async fn round(client: &Client) -> Result<(), StatusError> {
    let list = client.get(ROLES).await?;
    let empty = Vec::new();
    for (name, rules) in plan(list["items"].as_array().unwrap_or(&empty)) {
        client.merge(&format!("{ROLES}/{name}"), &json!({ "rules": rules })).await?;
    }
    Ok(())
}

/// Runs until the store closes.
pub(crate) async fn run(client: Client) {
    loop {
        let Ok(mut changes) = client.follow("rbac.authorization.k8s.io", "v1", "clusterroles") else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        loop {
            match changes.next().await {
                Ok(_) => {}
                Err(error) if error.code() == 410 => break,
                Err(_) => return,
            }
            while let Ok(Ok(_)) = tokio::time::timeout(PAUSE, changes.next()).await {}
            if let Err(error) = round(&client).await {
                tracing::warn!(%error, "role aggregation");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selected_rules_are_joined_once() {
        let role = |name: &str, label: &str, verb: &str| json!({"metadata": {"name": name, "labels": {label: "true"}}, "rules": [{"verbs": [verb]}]});
        let view = json!({
            "metadata": {"name": "view"}, "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"to-view": "true"}}]}
        });
        let mut roles =
            vec![role("a", "to-view", "get"), role("b", "to-view", "get"), role("c", "other", "list"), view];
        let found = plan(&roles);
        assert_eq!(found, vec![("view".to_owned(), vec![json!({"verbs": ["get"]})])]);
        roles[3]["rules"] = found[0].1.clone().into();
        assert!(plan(&roles).is_empty());
    }
}
