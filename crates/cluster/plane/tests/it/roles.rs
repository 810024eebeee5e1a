//! ClusterRoles with an aggregation rule, in a whole control plane.

use serde_json::{Value, json};

use crate::kubectl::Kubectl;
use crate::plane::Plane;

const FILLED: &str = "--for=jsonpath={.rules[0].verbs[0]}";

fn rules(kubectl: &Kubectl<'_>, role: &str) -> Vec<Value> {
    let role: Value = serde_json::from_str(&kubectl.ok(&["get", "clusterrole", role, "-o", "json"])).unwrap();
    role["rules"].as_array().cloned().unwrap_or_default()
}

#[test]
fn a_role_has_the_rules_of_those_that_it_selects() {
    let plane = Plane::start();
    let kubectl = Kubectl::new(&plane, "admin-token");
    kubectl.ok(&["wait", "clusterrole/view", "clusterrole/edit", "clusterrole/admin", FILLED, "--timeout=30s"]);
    // Upstream's `view` is what its one selected role has.
    assert_eq!(rules(&kubectl, "view"), rules(&kubectl, "system:aggregate-to-view"));

    let selector = json!({ "matchLabels": { "own": "true" } });
    let all = json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": { "name": "all" },
        "aggregationRule": { "clusterRoleSelectors": [selector] } });
    kubectl.run(&["create", "-f", "-"], &all.to_string()).unwrap();
    kubectl.ok(&["create", "clusterrole", "part", "--verb=get", "--resource=pods"]);
    kubectl.ok(&["label", "clusterrole", "part", "own=true"]);
    kubectl.ok(&["wait", "clusterrole/all", "--for=jsonpath={.rules[0].verbs[0]}=get", "--timeout=30s"]);
    assert_eq!(rules(&kubectl, "all"), rules(&kubectl, "part"));
    let managers =
        kubectl.ok(&["get", "clusterrole", "all", "--show-managed-fields", "-o", "jsonpath={.metadata.managedFields}"]);
    assert!(managers.contains("clusterrole-aggregation-controller"), "{managers}");

    kubectl.ok(&["create", "clusterrolebinding", "joe", "--clusterrole=all", "--user=joe"]);
    let can = Kubectl::new(&plane, "joe-token").ok(&["auth", "can-i", "get", "pods", "-A"]);
    assert_eq!(can.trim(), "yes");
}
