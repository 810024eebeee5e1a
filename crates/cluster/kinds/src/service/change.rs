//! What an update may leave out, and what goes with a change of type (`pkg/registry/core/service/strategy.go`).

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value, json};

use super::{reachable_from_outside, takes_address, takes_health_port, takes_node_ports};
use crate::tree::{at, items, items_mut, map, number, text};

/// Keeps what the cluster handed out where the new version leaves it out.
pub(super) fn keep_allocated(new: &mut Value, old: &Value) {
    if takes_address(old) && takes_address(new) {
        let before = at(old, "/spec/clusterIP").clone();
        let Some(spec) = map(new, "spec") else { return };
        if spec.get("clusterIP").is_none_or(|ip| ip.is_null() || ip == "") && before.is_string() {
            spec.insert("clusterIP".into(), before.clone());
        }
        let none = spec.get("clusterIPs").and_then(Value::as_array).is_none_or(Vec::is_empty);
        if none && spec.get("clusterIP") == Some(&before) {
            copy(spec, old, "clusterIPs");
        }
    }
    if takes_node_ports(old) && takes_node_ports(new) {
        keep_node_ports(new, old);
    }
    if takes_health_port(old)
        && takes_health_port(new)
        && number(new, "/spec/healthCheckNodePort").unwrap_or_default() == 0
        && let Some(spec) = map(new, "spec")
    {
        copy(spec, old, "healthCheckNodePort");
    }
}

fn copy(spec: &mut Map<String, Value>, old: &Value, field: &str) {
    if let Some(value) = at(old, "/spec").get(field) {
        spec.insert(field.to_owned(), value.clone());
    }
}

fn keep_node_ports(new: &mut Value, old: &Value) {
    let node_port = |port: &Value| number(port, "/nodePort").filter(|n| *n > 0);
    let key = |port: &Value| (text(port, "/protocol").to_owned(), number(port, "/port"));
    let asked: HashSet<i64> = items(new, "/spec/ports").iter().filter_map(node_port).collect();
    let mut known = HashMap::new();
    for port in items(old, "/spec/ports") {
        known.entry(key(port)).or_insert_with(|| node_port(port));
    }
    for port in items_mut(new, "/spec/ports") {
        if node_port(port).is_some() {
            continue;
        }
        let before = known.get(&key(port)).copied().flatten();
        if let (Some(before), Some(fields)) = (before.filter(|n| !asked.contains(n)), port.as_object_mut()) {
            fields.insert("nodePort".into(), before.into());
        }
    }
}

/// Keeps `clusterIP` and `clusterIPs` alike when only one of them was changed.
pub(super) fn addresses_follow(new: &mut Value, old: Option<&Value>) {
    let one = text(new, "/spec/clusterIP").to_owned();
    let many = items(new, "/spec/clusterIPs").to_vec();
    let Some(spec) = map(new, "spec") else { return };
    let Some(old) = old else {
        if !one.is_empty() && many.is_empty() {
            spec.insert("clusterIPs".into(), json!([one]));
        }
        return;
    };
    let before = text(old, "/spec/clusterIP");
    let same_list = items(old, "/spec/clusterIPs") == many.as_slice();
    if one != before {
        if one.is_empty() && same_list {
            spec.remove("clusterIPs");
        } else if !one.is_empty()
            && (same_list || before.is_empty())
            && many.first().is_none_or(|ip| same_list || *ip == before)
        {
            spec.insert("clusterIPs".into(), json!([one]));
        }
    } else if !same_list && many.is_empty() {
        spec.remove("clusterIP");
    }
}

/// Drops what belonged to the old type and was not changed along with it.
pub(super) fn drop_by_type(new: &mut Value, old: &Value) {
    let mut gone: Vec<&str> = Vec::new();
    let was_balancer = text(old, "/spec/type") == "LoadBalancer";
    let is_balancer = text(new, "/spec/type") == "LoadBalancer";
    if takes_address(old) && !takes_address(new) {
        if same(new, old, "clusterIPs") || items(new, "/spec/clusterIPs").is_empty() {
            gone.extend(["clusterIP", "clusterIPs"]);
        }
        gone.extend(["ipFamilies", "ipFamilyPolicy"]);
    }
    if takes_health_port(old) && !takes_health_port(new) {
        gone.push("healthCheckNodePort");
    }
    if was_balancer && !is_balancer {
        gone.extend(["allocateLoadBalancerNodePorts", "loadBalancerClass"]);
    }
    if reachable_from_outside(old) && !reachable_from_outside(new) {
        gone.push("externalTrafficPolicy");
    }
    if takes_address(old) && !takes_address(new) {
        gone.push("internalTrafficPolicy");
    }
    let ports_go = takes_node_ports(old) && !takes_node_ports(new) && same_node_ports(new, old);
    let gone: Vec<&str> = gone.into_iter().filter(|f| f.starts_with("clusterIP") || same(new, old, f)).collect();
    if let Some(spec) = map(new, "spec") {
        for field in gone {
            spec.remove(field);
        }
    }
    if ports_go {
        for port in items_mut(new, "/spec/ports").filter_map(Value::as_object_mut) {
            port.remove("nodePort");
        }
    }
}

fn same(new: &Value, old: &Value, field: &str) -> bool {
    at(new, "/spec").get(field) == at(old, "/spec").get(field)
}

fn same_node_ports(new: &Value, old: &Value) -> bool {
    let all = |service: &Value| -> Vec<i64> {
        let mut ports: Vec<i64> = items(service, "/spec/ports").iter().filter_map(|p| number(p, "/nodePort")).collect();
        ports.sort_unstable();
        ports
    };
    all(new) == all(old)
}
