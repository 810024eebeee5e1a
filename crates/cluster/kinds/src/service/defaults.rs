//! Defaults of services (`pkg/apis/core/v1/defaults.go`).

use serde_json::{Value, json};

use super::reachable_from_outside;
use crate::tree::{items_mut, map, or_set, text};

/// Seconds that a client sticks to a pod.
const STICKY_SECONDS: i64 = 10_800;

/// Fills in what was left out.
pub(super) fn set(service: &mut Value) {
    let Some(spec) = map(service, "spec") else { return };
    or_set(spec, "type", "ClusterIP");
    or_set(spec, "sessionAffinity", "None");
    match spec.get("sessionAffinity").and_then(Value::as_str) {
        Some("None") => {
            spec.remove("sessionAffinityConfig");
        }
        Some("ClientIP") => {
            let given = spec.get("sessionAffinityConfig").and_then(|c| c.pointer("/clientIP/timeoutSeconds"));
            if given.is_none_or(Value::is_null) {
                spec.insert("sessionAffinityConfig".into(), json!({"clientIP": {"timeoutSeconds": STICKY_SECONDS}}));
            }
        }
        _ => {}
    }
    let kind = spec.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
    if matches!(kind.as_str(), "ClusterIP" | "NodePort" | "LoadBalancer") {
        or_set(spec, "internalTrafficPolicy", "Cluster");
    }
    if kind == "LoadBalancer" {
        or_set(spec, "allocateLoadBalancerNodePorts", true);
    }
    ports(service);
    if reachable_from_outside(service)
        && let Some(spec) = map(service, "spec")
    {
        or_set(spec, "externalTrafficPolicy", "Cluster");
    }
    if kind == "LoadBalancer" {
        for ingress in items_mut(service, "/status/loadBalancer/ingress") {
            let has_address = !text(ingress, "/ip").is_empty();
            if let Some(fields) = ingress.as_object_mut().filter(|_| has_address) {
                or_set(fields, "ipMode", "VIP");
            }
        }
    }
}

fn ports(service: &mut Value) {
    for port in items_mut(service, "/spec/ports") {
        let Some(fields) = port.as_object_mut() else { continue };
        or_set(fields, "protocol", "TCP");
        let target = fields.get("targetPort");
        if target.is_none_or(|t| t.is_null() || *t == 0 || *t == "") {
            let own = fields.get("port").cloned().unwrap_or_else(|| 0.into());
            fields.insert("targetPort".into(), own);
        }
    }
}
