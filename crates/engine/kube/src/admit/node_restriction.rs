//! NodeRestriction: a kubelet writes its own node, its own pods' status and its own mirror pods.

use serde_json::Value;

use crate::call::Call;
use crate::object::meta;
use crate::status::StatusError;

/// Label prefixes and keys that a kubelet may set on its node (`k8s.io/kubelet/pkg/apis/well_known_labels.go`).
const LABELS: &[&str] = &[
    "kubernetes.io/hostname",
    "kubernetes.io/os",
    "kubernetes.io/arch",
    "node.kubernetes.io/instance-type",
    "beta.kubernetes.io/instance-type",
    "beta.kubernetes.io/os",
    "beta.kubernetes.io/arch",
    "topology.kubernetes.io/zone",
    "topology.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region",
];

fn forbid(call: &Call<'_>, name: &str, why: &str) -> StatusError {
    StatusError::forbidden(&call.resource.group, &call.resource.plural, name, why)
}

pub(super) fn create(call: &Call<'_>, object: &Value) -> Result<(), StatusError> {
    let node = call.caller.node().unwrap_or_default();
    let name = meta(object, "name");
    match (&*call.resource.group, &*call.resource.plural) {
        ("", "nodes") if name != node => {
            Err(forbid(call, name, &format!("node \"{node}\" is not allowed to modify node \"{name}\"")))
        }
        ("", "nodes") => labels(call, node, object, &Value::Null),
        ("", "pods") => mirror(call, node, object),
        ("coordination.k8s.io", "leases") if name != node => {
            Err(forbid(call, name, "can only access node lease with the same name as the requesting node"))
        }
        _ => Ok(()),
    }
}

pub(super) fn update(call: &Call<'_>, new: &Value, old: &Value) -> Result<(), StatusError> {
    let node = call.caller.node().unwrap_or_default();
    let name = call.at.name.as_str();
    match (&*call.resource.group, &*call.resource.plural, call.at.sub.as_str()) {
        ("", "nodes", _) if name != node => {
            Err(forbid(call, name, &format!("node \"{node}\" is not allowed to modify node \"{name}\"")))
        }
        ("", "nodes", _) => {
            if new.pointer("/spec/taints") != old.pointer("/spec/taints") {
                return Err(forbid(call, name, &format!("node \"{node}\" is not allowed to modify taints")));
            }
            labels(call, node, new, old)
        }
        ("", "pods", "status") => {
            let at = old.pointer("/spec/nodeName").and_then(Value::as_str).unwrap_or_default();
            if at == node {
                return Ok(());
            }
            let why = format!("node \"{node}\" can only update pod status for pods with spec.nodeName set to itself");
            Err(forbid(call, name, &why))
        }
        _ => Ok(()),
    }
}

fn mirror(call: &Call<'_>, node: &str, pod: &Value) -> Result<(), StatusError> {
    let name = meta(pod, "name");
    if pod.pointer("/metadata/annotations").and_then(|a| a.get("kubernetes.io/config.mirror")).is_none() {
        let why = format!(
            "pod does not have \"kubernetes.io/config.mirror\" annotation, node \"{node}\" can only create mirror pods"
        );
        return Err(forbid(call, name, &why));
    }
    if pod.pointer("/spec/nodeName").and_then(Value::as_str) != Some(node) {
        let why = format!("node \"{node}\" can only create pods with spec.nodeName set to itself");
        return Err(forbid(call, name, &why));
    }
    Ok(())
}

fn labels(call: &Call<'_>, node: &str, new: &Value, old: &Value) -> Result<(), StatusError> {
    let get =
        |object: &Value| object.pointer("/metadata/labels").and_then(Value::as_object).cloned().unwrap_or_default();
    let (now, before) = (get(new), get(old));
    let mut changed: Vec<&String> =
        now.keys().chain(before.keys()).filter(|k| now.get(*k) != before.get(*k) && restricted(k)).collect();
    changed.sort();
    changed.dedup();
    if changed.is_empty() {
        return Ok(());
    }
    let list: Vec<&str> = changed.iter().map(|s| s.as_str()).collect();
    let why = format!("is not allowed to modify labels: {}", list.join(", "));
    Err(forbid(call, meta(new, "name"), &why))
}

/// Whether a kubelet may not touch the label.
fn restricted(key: &str) -> bool {
    let Some((domain, _)) = key.split_once('/') else { return false };
    let ours = |base: &str| domain == base || domain.ends_with(&format!(".{base}"));
    if domain == "node-restriction.kubernetes.io" || domain.ends_with(".node-restriction.kubernetes.io") {
        return true;
    }
    if domain == "kubelet.kubernetes.io" || domain.ends_with(".kubelet.kubernetes.io") {
        return false;
    }
    if domain == "node.kubernetes.io" || domain.ends_with(".node.kubernetes.io") {
        return false;
    }
    (ours("kubernetes.io") || ours("k8s.io")) && !LABELS.contains(&key)
}

#[cfg(test)]
mod tests {
    use super::restricted;

    #[test]
    fn a_kubelet_may_label_what_it_knows() {
        for free in
            ["example.com/x", "plain", "kubernetes.io/hostname", "node.kubernetes.io/x", "eks.amazonaws.com/nodegroup"]
        {
            assert!(!restricted(free), "{free}");
        }
        for kept in ["node-restriction.kubernetes.io/x", "kubernetes.io/x", "node-role.kubernetes.io/control-plane"] {
            assert!(restricted(kept), "{kept}");
        }
    }
}
