//! Defaults of pods (`pkg/apis/core/v1/defaults.go`).

use serde_json::{Map, Value, json};

use super::CONTAINER_LISTS;
use crate::tree::{items_mut, map, or_set, truth};

/// Modes of files from volumes.
const FILE_MODE: i64 = 0o644;

/// Fills in what was left out.
pub(super) fn set(pod: &mut Value) {
    let host_network = truth(pod, "/spec/hostNetwork");
    for list in CONTAINER_LISTS {
        for one in items_mut(pod, &format!("/spec/{list}")) {
            container(one, host_network && list != "ephemeralContainers", list != "ephemeralContainers");
        }
    }
    for one in items_mut(pod, "/spec/volumes") {
        volume(one);
    }
    let Some(spec) = map(pod, "spec") else { return };
    or_set(spec, "dnsPolicy", "ClusterFirst");
    or_set(spec, "restartPolicy", "Always");
    or_set(spec, "securityContext", json!({}));
    or_set(spec, "terminationGracePeriodSeconds", 30);
    // What is below zero means as little as can be.
    if spec.get("terminationGracePeriodSeconds").and_then(Value::as_i64).is_some_and(|s| s < 0) {
        spec.insert("terminationGracePeriodSeconds".into(), 1.into());
    }
    or_set(spec, "schedulerName", "default-scheduler");
    or_set(spec, "enableServiceLinks", true);
    // The two names of the service account say the same.
    let account = |spec: &Map<String, Value>, field: &str| spec.get(field).filter(|v| **v != "").cloned();
    match (account(spec, "serviceAccountName"), account(spec, "serviceAccount")) {
        (Some(name), _) => spec.insert("serviceAccount".into(), name),
        (None, Some(old)) => spec.insert("serviceAccountName".into(), old),
        (None, None) => None,
    };
}

fn container(container: &mut Value, host_network: bool, requests: bool) {
    let Some(fields) = container.as_object_mut() else { return };
    let image = fields.get("image").and_then(Value::as_str).unwrap_or_default();
    or_set(fields, "imagePullPolicy", if is_latest(image) { "Always" } else { "IfNotPresent" });
    or_set(fields, "terminationMessagePath", "/dev/termination-log");
    or_set(fields, "terminationMessagePolicy", "File");
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(Value::Object(probe)) = fields.get_mut(probe) {
            probe_defaults(probe);
        }
    }
    for hook in ["postStart", "preStop"] {
        if let Some(Value::Object(get)) =
            fields.get_mut("lifecycle").and_then(|l| l.pointer_mut(&format!("/{hook}/httpGet")))
        {
            http_get(get);
        }
    }
    if requests {
        requests_follow_limits(fields);
    }
    for variable in items_mut(container, "/env") {
        if let Some(Value::Object(reference)) = variable.pointer_mut("/valueFrom/fieldRef") {
            or_set(reference, "apiVersion", "v1");
        }
        if let Some(Value::Object(reference)) = variable.pointer_mut("/valueFrom/resourceFieldRef") {
            or_set(reference, "divisor", "0");
        }
    }
    for port in items_mut(container, "/ports").filter_map(Value::as_object_mut) {
        or_set(port, "protocol", "TCP");
        let own = port.get("containerPort").cloned().unwrap_or_else(|| 0.into());
        if host_network && port.get("hostPort").is_none_or(|p| *p == 0) && own != 0 {
            port.insert("hostPort".into(), own);
        }
    }
}

/// Whether an image's tag is `latest`, given or implied.
fn is_latest(image: &str) -> bool {
    if image.contains('@') {
        return false;
    }
    let last = image.rsplit('/').next().unwrap_or(image);
    match last.split_once(':') {
        Some((_, tag)) => tag == "latest",
        None => true,
    }
}

fn probe_defaults(probe: &mut Map<String, Value>) {
    let defaults = [("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3)];
    for (field, value) in defaults {
        if probe.get(field).is_none_or(|v| v.is_null() || *v == 0) {
            probe.insert(field.into(), value.into());
        }
    }
    if let Some(Value::Object(get)) = probe.get_mut("httpGet") {
        http_get(get);
    }
    if let Some(Value::Object(grpc)) = probe.get_mut("grpc") {
        grpc.entry("service").or_insert_with(|| "".into());
    }
}

fn http_get(get: &mut Map<String, Value>) {
    or_set(get, "path", "/");
    or_set(get, "scheme", "HTTP");
}

fn requests_follow_limits(container: &mut Map<String, Value>) {
    let Some(Value::Object(resources)) = container.get_mut("resources") else { return };
    let Some(Value::Object(limits)) = resources.get("limits").cloned() else { return };
    let requests = resources.entry("requests").or_insert_with(|| json!({}));
    if let Some(requests) = requests.as_object_mut() {
        for (name, amount) in limits {
            requests.entry(name).or_insert(amount);
        }
    }
}

fn volume(volume: &mut Value) {
    let Some(fields) = volume.as_object_mut() else { return };
    if !fields.iter().any(|(name, value)| name != "name" && !value.is_null()) {
        fields.insert("emptyDir".into(), json!({}));
    }
    for source in ["secret", "configMap", "downwardAPI", "projected"] {
        if let Some(Value::Object(source)) = fields.get_mut(source) {
            or_set(source, "defaultMode", FILE_MODE);
        }
    }
    if let Some(Value::Object(path)) = fields.get_mut("hostPath")
        && path.get("type").is_none_or(Value::is_null)
    {
        path.insert("type".into(), "".into());
    }
    for item in items_mut(volume, "/downwardAPI/items") {
        file_of_field(item);
    }
    for source in items_mut(volume, "/projected/sources") {
        if let Some(Value::Object(token)) = source.get_mut("serviceAccountToken") {
            or_set(token, "expirationSeconds", 3600);
        }
        for item in items_mut(source, "/downwardAPI/items") {
            file_of_field(item);
        }
    }
}

fn file_of_field(item: &mut Value) {
    if let Some(Value::Object(reference)) = item.get_mut("fieldRef") {
        or_set(reference, "apiVersion", "v1");
    }
    if let Some(Value::Object(reference)) = item.get_mut("resourceFieldRef") {
        or_set(reference, "divisor", "0");
    }
}

#[cfg(test)]
mod tests {
    use super::is_latest;

    #[test]
    fn tags_are_found_where_ports_and_digests_are_too() {
        assert!(is_latest("nginx") && is_latest("nginx:latest") && is_latest("registry:5000/nginx"));
        assert!(!is_latest("nginx:1") && !is_latest("registry:5000/nginx:1") && !is_latest("nginx@sha256:00"));
    }
}
