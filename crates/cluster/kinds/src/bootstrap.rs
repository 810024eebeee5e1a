//! Roles and bindings that every cluster begins with, recorded from the real server.
//!
//! `data/bootstrap.json` says them shortly: a role as `KIND/NAME`, a subject as `KIND/[NAMESPACE/]NAME`; the marks that all
//! of them carry are added here. `tests/oracle` compares them with the real server's.

use serde::Deserialize;
use serde_json::{Map, Value, json};

const GROUP: &str = "rbac.authorization.k8s.io";
const API_VERSION: &str = "rbac.authorization.k8s.io/v1";
const DATA: &str = include_str!("../data/bootstrap.json");

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Bootstrap {
    cluster_roles: Vec<Role>,
    cluster_role_bindings: Vec<Binding>,
    roles: Vec<Role>,
    role_bindings: Vec<Binding>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Role {
    name: String,
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    labels: Map<String, Value>,
    #[serde(default)]
    rules: Value,
    #[serde(default)]
    aggregation_rule: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Binding {
    name: String,
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    labels: Map<String, Value>,
    role_ref: String,
    #[serde(default)]
    subjects: Vec<String>,
}

/// The RBAC objects of a new cluster, complete but for what the server adds; roles before their bindings.
///
/// Namespaced ones belong to `kube-system` and `kube-public`.
#[must_use]
pub fn rbac() -> Vec<Value> {
    let all: Bootstrap = serde_json::from_str(DATA).expect("the data is recorded, and a test reads it");
    let cluster_roles = all.cluster_roles.into_iter().map(|r| r.object("ClusterRole"));
    let roles = all.roles.into_iter().map(|r| r.object("Role"));
    let cluster_bindings = all.cluster_role_bindings.into_iter().map(|b| b.object("ClusterRoleBinding"));
    let bindings = all.role_bindings.into_iter().map(|b| b.object("RoleBinding"));
    cluster_roles.chain(roles).chain(cluster_bindings).chain(bindings).collect()
}

fn metadata(name: &str, namespace: &str, mut labels: Map<String, Value>) -> Value {
    labels.insert("kubernetes.io/bootstrapping".into(), "rbac-defaults".into());
    let mut metadata = json!({
        "name": name, "labels": labels,
        "annotations": {"rbac.authorization.kubernetes.io/autoupdate": "true"}
    });
    if !namespace.is_empty() {
        metadata["namespace"] = namespace.into();
    }
    metadata
}

impl Role {
    fn object(self, kind: &str) -> Value {
        let mut object = json!({
            "apiVersion": API_VERSION, "kind": kind,
            "metadata": metadata(&self.name, &self.namespace, self.labels), "rules": self.rules
        });
        if !self.aggregation_rule.is_null() {
            object["aggregationRule"] = self.aggregation_rule;
        }
        object
    }
}

impl Binding {
    fn object(self, kind: &str) -> Value {
        let (role_kind, role) = self.role_ref.split_once('/').unwrap_or(("ClusterRole", &self.role_ref));
        let subjects: Vec<Value> = self.subjects.iter().map(|s| subject(s)).collect();
        json!({
            "apiVersion": API_VERSION, "kind": kind,
            "metadata": metadata(&self.name, &self.namespace, self.labels),
            "roleRef": {"apiGroup": GROUP, "kind": role_kind, "name": role}, "subjects": subjects
        })
    }
}

fn subject(short: &str) -> Value {
    let (kind, rest) = short.split_once('/').unwrap_or(("User", short));
    match (kind, rest.split_once('/')) {
        ("ServiceAccount", Some((namespace, name))) => json!({"kind": kind, "namespace": namespace, "name": name}),
        _ => json!({"apiGroup": GROUP, "kind": kind, "name": rest}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bound_role_is_there() {
        let all = rbac();
        let text = |v: &Value, path: &str| v.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
        for binding in all.iter().filter(|o| o.get("roleRef").is_some()) {
            let (kind, name) = (text(binding, "/roleRef/kind"), text(binding, "/roleRef/name"));
            let found = all.iter().any(|o| text(o, "/kind") == kind && text(o, "/metadata/name") == name);
            assert!(found, "{kind} {name} of {} is missing", text(binding, "/metadata/name"));
        }
        assert!(all.iter().any(|o| text(o, "/metadata/name") == "cluster-admin"));
    }
}
