//! ServiceAccount: every pod runs as one, and finds its token, the cluster's CA and its namespace in a volume.

use serde_json::{Value, json};

use crate::call::Call;
use crate::object::meta;
use crate::status::StatusError;

/// Where containers find the token.
const MOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// The token's life, seconds: an hour, and seven seconds by which upstream knows its own.
const LIFE: i64 = 3607;

pub(super) fn pod(call: &Call<'_>, object: &mut Value) -> Result<(), StatusError> {
    let mirror = object.pointer("/metadata/annotations").and_then(|a| a.get("kubernetes.io/config.mirror")).is_some();
    if mirror {
        return Ok(());
    }
    let name = meta(object, "name").to_owned();
    let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) else { return Ok(()) };
    let account = match spec.get("serviceAccountName").and_then(Value::as_str).unwrap_or_default() {
        "" => "default".to_owned(),
        given => given.to_owned(),
    };
    let stored = call.door.stored("/registry/serviceaccounts/", &format!("{}/{account}", call.namespace()));
    let Some(stored) = stored else {
        let why = format!(
            "error looking up service account {}/{account}: serviceaccount \"{account}\" not found",
            call.namespace()
        );
        return Err(StatusError::forbidden("", "pods", &name, &why));
    };
    spec.insert("serviceAccountName".to_owned(), account.as_str().into());
    spec.insert("serviceAccount".to_owned(), account.into());
    let wanted = spec.get("automountServiceAccountToken").or_else(|| stored.get("automountServiceAccountToken"));
    if wanted.and_then(Value::as_bool) != Some(false) {
        mount(spec);
    }
    let pull = stored.get("imagePullSecrets").cloned().unwrap_or_default();
    let none = spec.get("imagePullSecrets").and_then(Value::as_array).is_none_or(Vec::is_empty);
    if none && pull.as_array().is_some_and(|p| !p.is_empty()) {
        spec.insert("imagePullSecrets".to_owned(), pull);
    }
    Ok(())
}

fn mount(spec: &mut serde_json::Map<String, Value>) {
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
