//! What is sent: ConfigMaps of 1 KiB, pods of a little over 3 KB as a Deployment's would be.

use serde_json::{Value, json};

pub(crate) fn config_map(name: &str) -> Vec<u8> {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": name, "labels": {"app": "race"}},
        "data": {"settings": "x".repeat(900)},
    })
    .to_string()
    .into_bytes()
}

pub(crate) fn pod(name: &str) -> Vec<u8> {
    let containers: Vec<Value> = (0..2).map(container).collect();
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": name,
            "labels": {"app": "race", "pod-template-hash": "7c5ddbdf54", "tier": "backend", "team": "platform"},
            "annotations": {"prometheus.io/scrape": "true", "prometheus.io/port": "9090", "checksum/config": "a".repeat(64)},
        },
        "spec": {
            "containers": containers,
            "nodeSelector": {"kubernetes.io/os": "linux"},
            "terminationGracePeriodSeconds": 30,
            "securityContext": {"runAsNonRoot": true, "fsGroup": 1000},
            "volumes": [
                {"name": "config", "configMap": {"name": "settings"}},
                {"name": "scratch", "emptyDir": {"sizeLimit": "128Mi"}},
            ],
        },
    })
    .to_string()
    .into_bytes()
}

fn container(number: u32) -> Value {
    json!({
        "name": format!("part-{number}"),
        "image": format!("registry.example.com/team/part-{number}:v1.2.3"),
        "args": ["--listen=:8080", "--log-level=info", "--config=/etc/race/settings.yaml", format!("--motd={}", "m".repeat(400))],
        "ports": [{"name": format!("http-{number}"), "containerPort": 8080 + number}],
        "env": [
            {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "POD_NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
            {"name": "MODE", "value": "production"},
        ],
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
        "livenessProbe": {"httpGet": {"path": "/healthz", "port": 8080 + number}, "periodSeconds": 10},
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": 8080 + number}, "periodSeconds": 5},
        "volumeMounts": [
            {"name": "config", "mountPath": "/etc/race", "readOnly": true},
            {"name": "scratch", "mountPath": "/tmp"},
        ],
        "securityContext": {"allowPrivilegeEscalation": false},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_as_said() {
        assert!((1_000..1_100).contains(&config_map("a-1").len()), "{}", config_map("a-1").len());
        assert!((3_000..3_400).contains(&pod("pod-1").len()), "{}", pod("pod-1").len());
    }
}
