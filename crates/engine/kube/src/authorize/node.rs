//! What a kubelet may do (`plugin/pkg/auth/authorizer/node`): its own node, its own pods, and what those refer to.
//!
//! Since 1.32 reads of nodes and pods must be confined to the kubelet's own by name or field selector
//! (`AuthorizeNodeWithSelectors`).

use serde_json::Value;

use super::Attributes;
use crate::door::Door;

/// Verbs allowed to every node on a resource, `plural` or `plural/sub`.
const STATIC: &[(&str, &str, &[&str])] = &[
    ("authentication.k8s.io", "tokenreviews", &["create"]),
    ("authorization.k8s.io", "subjectaccessreviews", &["create"]),
    ("authorization.k8s.io", "localsubjectaccessreviews", &["create"]),
    ("certificates.k8s.io", "certificatesigningrequests", &["create", "get", "list", "watch"]),
    ("", "services", &["get", "list", "watch"]),
    ("", "nodes", &["create", "update", "patch"]),
    ("", "nodes/status", &["update", "patch"]),
    ("", "pods", &["create", "delete"]),
    ("", "pods/status", &["update", "patch"]),
    ("", "pods/eviction", &["create"]),
    ("", "events", &["create", "update", "patch"]),
    ("events.k8s.io", "events", &["create", "update", "patch"]),
    ("node.k8s.io", "runtimeclasses", &["get", "list", "watch"]),
    ("storage.k8s.io", "csidrivers", &["get", "list", "watch"]),
];

/// Whether the node may.
///
/// # Errors
/// The reason for having no opinion; RBAC may still allow it.
pub fn allowed(door: &Door, node: &str, asked: &Attributes<'_>) -> Result<(), String> {
    let full = if asked.sub.is_empty() { asked.plural.to_owned() } else { format!("{}/{}", asked.plural, asked.sub) };
    match (asked.group, full.as_str()) {
        ("", "nodes") if is_read(asked.verb) => {
            own(node, asked.name == node, "read all nodes, only its own Node object")
        }
        ("", "pods") if is_read(asked.verb) => read_pods(door, node, asked),
        ("", "secrets" | "configmaps" | "persistentvolumeclaims") if is_read(asked.verb) => referred(door, node, asked),
        ("", "serviceaccounts/token") if asked.verb == "create" => referred(door, node, asked),
        ("coordination.k8s.io", "leases") => lease(node, asked),
        _ => STATIC
            .iter()
            .find(|(group, resource, verbs)| *group == asked.group && *resource == full && verbs.contains(&asked.verb))
            .map(|_| ())
            .ok_or_else(String::new),
    }
}

fn is_read(verb: &str) -> bool {
    matches!(verb, "get" | "list" | "watch")
}

fn own(node: &str, is: bool, what: &str) -> Result<(), String> {
    if is { Ok(()) } else { Err(format!("node '{node}' cannot {what}")) }
}

fn lease(node: &str, asked: &Attributes<'_>) -> Result<(), String> {
    if !matches!(asked.verb, "get" | "create" | "update" | "patch" | "delete") {
        return Err("can only get, create, update, patch, or delete a node lease".to_owned());
    }
    if asked.namespace != "kube-node-lease" {
        return Err("can only access leases in the \"kube-node-lease\" system namespace".to_owned());
    }
    if asked.verb != "create" && asked.name != node {
        return Err("can only access node lease with the same name as the requesting node".to_owned());
    }
    Ok(())
}

fn read_pods(door: &Door, node: &str, asked: &Attributes<'_>) -> Result<(), String> {
    if asked.verb == "get" {
        let pod = door.stored("/registry/pods/", &format!("{}/{}", asked.namespace, asked.name));
        let here = pod.is_some_and(|p| p.pointer("/spec/nodeName").and_then(Value::as_str) == Some(node));
        return if here { Ok(()) } else { Err(format!("no relationship found between node '{node}' and this object")) };
    }
    let confined = asked.fields.and_then(|f| f.exact("spec.nodeName")) == Some(node);
    own(node, confined, "list/watch all pods, only those bound to it")
}

/// Whether a pod on this node refers to the object.
fn referred(door: &Door, node: &str, asked: &Attributes<'_>) -> Result<(), String> {
    let refuse = || Err(format!("no relationship found between node '{node}' and this object"));
    if asked.name.is_empty() || asked.namespace.is_empty() {
        return Err("No Object name found".to_owned());
    }
    let needle = format!("\"{}\"", asked.name);
    let pods = door.store.view().scan(&format!("/registry/pods/{}/", asked.namespace), None, usize::MAX);
    for entry in pods {
        if !contains(&entry.value, needle.as_bytes()) {
            continue;
        }
        let Ok(pod) = serde_json::from_slice::<Value>(&entry.value) else { continue };
        let here = pod.pointer("/spec/nodeName").and_then(Value::as_str) == Some(node);
        if here && refers(&pod["spec"], asked.plural, asked.name) {
            return Ok(());
        }
    }
    refuse()
}

fn contains(text: &[u8], needle: &[u8]) -> bool {
    text.windows(needle.len()).any(|window| window == needle)
}

/// Whether a pod's spec refers to the Secret, ConfigMap, claim or ServiceAccount of this name.
fn refers(spec: &Value, plural: &str, name: &str) -> bool {
    let is = |value: &Value| value.as_str() == Some(name);
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut sources = list(&spec["volumes"]);
    let projected: Vec<Value> = sources.iter().flat_map(|v| list(&v["projected"]["sources"])).collect();
    match plural {
        "serviceaccounts" => is(&spec["serviceAccountName"]),
        "persistentvolumeclaims" => sources.iter().any(|v| is(&v["persistentVolumeClaim"]["claimName"])),
        "configmaps" => {
            sources.extend(projected);
            sources.iter().any(|v| is(&v["configMap"]["name"])) || in_environment(spec, "configMap", name)
        }
        _ => {
            let pull = list(&spec["imagePullSecrets"]);
            pull.iter().any(|s| is(&s["name"]))
                || sources.iter().any(|v| is(&v["secret"]["secretName"]))
                || projected.iter().any(|v| is(&v["secret"]["name"]))
                || in_environment(spec, "secret", name)
        }
    }
}

fn in_environment(spec: &Value, kind: &str, name: &str) -> bool {
    let (whole, one) = (format!("{kind}Ref"), format!("{kind}KeyRef"));
    let is = |value: &Value| value.as_str() == Some(name);
    ["initContainers", "containers", "ephemeralContainers"]
        .iter()
        .filter_map(|list| spec[*list].as_array())
        .flatten()
        .any(|container| {
            let from = container["envFrom"].as_array().is_some_and(|l| l.iter().any(|e| is(&e[&whole]["name"])));
            let env = container["env"].as_array().is_some_and(|l| l.iter().any(|e| is(&e["valueFrom"][&one]["name"])));
            from || env
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_found_in_every_place() {
        let spec = serde_json::json!({
            "serviceAccountName": "sa",
            "volumes": [{"secret": {"secretName": "a"}}, {"projected": {"sources": [{"configMap": {"name": "root"}}]}}],
            "containers": [{"env": [{"valueFrom": {"secretKeyRef": {"name": "b"}}}], "envFrom": [{"configMapRef": {"name": "c"}}]}]
        });
        for (plural, name) in
            [("serviceaccounts", "sa"), ("secrets", "a"), ("secrets", "b"), ("configmaps", "root"), ("configmaps", "c")]
        {
            assert!(refers(&spec, plural, name), "{plural} {name}");
        }
        assert!(!refers(&spec, "secrets", "c") && !refers(&spec, "configmaps", "a"));
    }
}
