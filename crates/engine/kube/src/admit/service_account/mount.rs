//! The volume in which containers find their account's token, the cluster's CA and their namespace.

use serde_json::{Value, json};

/// Where containers find the token.
const MOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// The token's life, seconds: an hour, and seven seconds by which upstream knows its own.
const LIFE: i64 = 3607;

/// Gives every container the volume, unless it has something of its own there.
pub(super) fn mount(spec: &mut serde_json::Map<String, Value>) {
    let volumes = spec.get("volumes").and_then(Value::as_array).cloned().unwrap_or_default();
    let existing = volumes.iter().filter_map(|v| v.get("name")?.as_str()).find(|n| n.starts_with("kube-api-access-"));
    let name = existing.map_or_else(|| format!("kube-api-access-{}", eksile_base::ids::kube_suffix()), str::to_owned);
    let mut used = false;
    for list in ["initContainers", "containers"] {
        for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            used |= mount_in(container, &name);
        }
    }
    if used && existing.is_none() {
        let mut volumes = volumes;
        volumes.push(volume(&name));
        spec.insert("volumes".to_owned(), volumes.into());
    }
}

fn mount_in(container: &mut Value, name: &str) -> bool {
    let Some(fields) = container.as_object_mut() else { return false };
    let list = fields.entry("volumeMounts").or_insert_with(|| Value::Array(Vec::new()));
    if list.is_null() {
        *list = Value::Array(Vec::new());
    }
    let Some(list) = list.as_array_mut() else { return false };
    if list.iter().any(|m| m.get("mountPath").and_then(Value::as_str) == Some(MOUNT)) {
        return false;
    }
    list.push(json!({ "name": name, "readOnly": true, "mountPath": MOUNT }));
    true
}

fn volume(name: &str) -> Value {
    json!({
        "name": name,
        "projected": {
            "defaultMode": 420,
            "sources": [
                { "serviceAccountToken": { "expirationSeconds": LIFE, "path": "token" } },
                { "configMap": { "name": "kube-root-ca.crt", "items": [{ "key": "ca.crt", "path": "ca.crt" }] } },
                { "downwardAPI": { "items": [
                    { "path": "namespace", "fieldRef": { "apiVersion": "v1", "fieldPath": "metadata.namespace" } }
                ] } }
            ]
        }
    })
}
