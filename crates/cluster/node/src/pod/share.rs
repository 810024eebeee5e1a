//! What of the node a container may use: its share of processors and memory, how it fares when memory is short, devices.

use std::collections::BTreeMap;
use std::fs;

use k8s_openapi::api::core::v1::{Container, Pod};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use serde_json::{Value, json};

use crate::identity::Machine;
use crate::quantity;

/// Most processes and threads of a container: one that makes ever more finds its own end, not the node's.
const PROCESSES: i64 = 4096;

/// `Guaranteed`, `Burstable` or `BestEffort` (Kubernetes documentation, "Pod Quality of Service Classes").
pub(crate) fn qos(pod: &Pod) -> &'static str {
    let (mut any, mut guaranteed) = (false, true);
    for container in
        pod.spec.iter().flat_map(|spec| spec.containers.iter().chain(spec.init_containers.iter().flatten()))
    {
        for name in ["cpu", "memory"] {
            let of = |table: Option<&BTreeMap<String, Quantity>>| {
                table.and_then(|table| table.get(name)).and_then(|value| quantity::milli(&value.0)).filter(|n| *n > 0)
            };
            let resources = container.resources.as_ref();
            let limit = of(resources.and_then(|resources| resources.limits.as_ref()));
            let request = of(resources.and_then(|resources| resources.requests.as_ref())).or(limit);
            any |= limit.is_some() || request.is_some();
            guaranteed &= limit.is_some() && limit == request;
        }
    }
    match (any, guaranteed) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}

/// The kernel's preference when memory is short; never below this process's own, which would need a right it may not
/// have.
pub(super) fn oom_score(pod: &Pod, container: &Container) -> i64 {
    let request = container.resources.as_ref().and_then(|resources| resources.requests.as_ref()?.get("memory"));
    let request = request.and_then(|value| quantity::units(&value.0)).unwrap_or(0);
    let memory = i64::try_from(Machine::discover().memory_mib).unwrap_or(i64::MAX).saturating_mul(1 << 20).max(1);
    let wanted = match qos(pod) {
        "Guaranteed" => -997,
        "BestEffort" => 1000,
        _ => 1000_i64.saturating_sub(request.saturating_mul(1000) / memory).clamp(3, 999),
    };
    // Where it cannot be read it is the kernel's ordinary one.
    let own = fs::read_to_string("/proc/self/oom_score_adj").ok().and_then(|text| text.trim().parse().ok());
    wanted.max(own.unwrap_or(0))
}

pub(super) fn resources(container: &Container, privileged: bool) -> Value {
    let resources = container.resources.clone().unwrap_or_default();
    let get = |table: &Option<BTreeMap<String, Quantity>>, name: &str| {
        table.as_ref().and_then(|table| table.get(name)).map(|value| value.0.clone())
    };
    let limit = get(&resources.limits, "cpu").and_then(|text| quantity::milli(&text));
    let request = get(&resources.requests, "cpu").and_then(|text| quantity::milli(&text)).or(limit).unwrap_or(0);
    // 1024 shares a processor; the kernel's least is 2.
    let mut cpu = json!({"shares": (request.saturating_mul(1024) / 1000).max(2)});
    if let Some(limit) = limit {
        cpu["period"] = 100_000.into();
        cpu["quota"] = limit.saturating_mul(100).max(1000).into();
    }
    let mut all = json!({"cpu": cpu, "devices": devices(privileged), "pids": {"limit": PROCESSES}});
    if let Some(bytes) = get(&resources.limits, "memory").and_then(|text| quantity::units(&text)) {
        all["memory"] = json!({"limit": bytes});
    }
    all
}

fn devices(privileged: bool) -> Value {
    if privileged {
        return json!([{"allow": true, "access": "rwm"}]);
    }
    // A number that is left out stands for all.
    let character =
        |major: i64, minor: i64| json!({"allow": true, "type": "c", "major": major, "minor": minor, "access": "rwm"});
    let mut rules = vec![json!({"allow": false, "access": "rwm"})];
    rules.extend([3, 5, 7, 8, 9].map(|minor| character(1, minor)));
    rules.extend([0, 1, 2].map(|minor| character(5, minor)));
    rules.push(json!({"allow": true, "type": "c", "major": 136, "access": "rwm"}));
    for kind in ["c", "b"] {
        rules.push(json!({"allow": true, "type": kind, "access": "m"}));
    }
    json!(rules)
}
