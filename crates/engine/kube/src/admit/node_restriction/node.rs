//! What a kubelet writes to Node objects.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Admitted, Operation, Write};
use crate::field::quote;

/// Labels that a kubelet may set on its node (`k8s.io/kubelet/pkg/apis/well_known_labels.go`).
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

pub(super) fn admit(write: &Write<'_>) -> Admitted {
    let (node, name) = (quote(write.node), write.name());
    if name != write.node {
        return write.refuse(&format!("node {node} is not allowed to modify node {}", quote(name)));
    }
    match write.operation {
        Operation::Create => create(write),
        Operation::Update => update(write),
        Operation::Delete => Ok(()),
    }
}

fn create(write: &Write<'_>) -> Admitted {
    let node = quote(write.node);
    if source(write.new).is_some() {
        return write.refuse(&format!("node {node} is not allowed to create pods with a non-nil configSource"));
    }
    let kept = forbidden(write.new, &Value::Null);
    if !kept.is_empty() {
        return write.refuse(&format!("node {node} is not allowed to set the following labels: {}", kept.join(", ")));
    }
    Ok(())
}

fn update(write: &Write<'_>) -> Admitted {
    let node = quote(write.node);
    if source(write.new).is_some() && source(write.new) != source(write.old) {
        return write
            .refuse(&format!("node {node} is not allowed to update configSource to a new non-nil configSource"));
    }
    if taints(write.new) != taints(write.old) {
        return write.refuse(&format!("node {node} is not allowed to modify taints"));
    }
    let kept = forbidden(write.new, write.old);
    if !kept.is_empty() {
        return write.refuse(&format!("is not allowed to modify labels: {}", kept.join(", ")));
    }
    Ok(())
}

fn source(node: &Value) -> Option<&Value> {
    node.pointer("/spec/configSource").filter(|source| !source.is_null())
}

/// The taints; none and an empty list are the same.
fn taints(node: &Value) -> &[Value] {
    node.pointer("/spec/taints").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The labels that differ and are not a kubelet's to set, sorted.
fn forbidden(new: &Value, old: &Value) -> Vec<String> {
    let labels = |object: &'_ Value| object.pointer("/metadata/labels").and_then(Value::as_object).cloned();
    let (new, old) = (labels(new).unwrap_or_default(), labels(old).unwrap_or_default());
    let keys: BTreeSet<&String> = new.keys().chain(old.keys()).collect();
    keys.into_iter().filter(|key| new.get(*key) != old.get(*key) && restricted(key)).cloned().collect()
}

/// Whether a kubelet may not touch the label.
fn restricted(key: &str) -> bool {
    let Some((domain, _)) = key.split_once('/') else { return false };
    let within = |base: &str| domain.strip_suffix(base).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    if within("node-restriction.kubernetes.io") {
        return true;
    }
    let known = LABELS.contains(&key) || within("kubelet.kubernetes.io") || within("node.kubernetes.io");
    (within("kubernetes.io") || within("k8s.io")) && !known
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_kubelet_may_label_what_it_knows() {
        for free in [
            "example.com/x",
            "plain",
            "kubernetes.io/hostname",
            "node.kubernetes.io/x",
            "a.kubelet.kubernetes.io/x",
            "eks.amazonaws.com/nodegroup",
            "mykubernetes.io/x",
        ] {
            assert!(!restricted(free), "{free}");
        }
        for kept in [
            "node-restriction.kubernetes.io/x",
            "a.node-restriction.kubernetes.io/x",
            "kubernetes.io/x",
            "node-role.kubernetes.io/control-plane",
            "x.k8s.io/y",
            "mynode.kubernetes.io/x",
        ] {
            assert!(restricted(kept), "{kept}");
        }
    }

    #[test]
    fn removing_counts_as_touching() {
        let node = |labels: Value| json!({"metadata": {"labels": labels}});
        let old = node(json!({"kubernetes.io/a": "1", "kubernetes.io/b": "1", "free": "1"}));
        assert_eq!(forbidden(&node(json!({"kubernetes.io/b": "1"})), &old), ["kubernetes.io/a"]);
        assert_eq!(forbidden(&node(json!({"kubernetes.io/a": "2"})), &old), ["kubernetes.io/a", "kubernetes.io/b"]);
        assert!(forbidden(&old, &old).is_empty());
    }
}
