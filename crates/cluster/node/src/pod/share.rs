//! What of the node a container may use: its share of processors and memory, how it fares when memory is short, devices.

use std::collections::BTreeMap;
use std::fs;

use k8s_openapi::api::core::v1::{Container, Pod};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use crate::identity::Machine;
use crate::quantity;
use crate::shim::limits::Limits;

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

/// Processes and threads of a container at once. Upstream's `podPidsLimit` is none by default; here a fork bomb is to
/// leave the node's other pods theirs.
const PROCESSES: i64 = 2048;

/// What the container's control group limits.
pub(super) fn limits(container: &Container) -> Limits {
    let resources = container.resources.clone().unwrap_or_default();
    let get = |table: &Option<BTreeMap<String, Quantity>>, name: &str| {
        table.as_ref().and_then(|table| table.get(name)).map(|value| value.0.clone())
    };
    let cpu = get(&resources.limits, "cpu").and_then(|text| quantity::milli(&text));
    let request = get(&resources.requests, "cpu").and_then(|text| quantity::milli(&text)).or(cpu).unwrap_or(0);
    let shares = u64::try_from(request.saturating_mul(1024) / 1000).unwrap_or(0).max(2);
    let memory = get(&resources.limits, "memory").and_then(|text| quantity::units(&text));
    Limits { shares, cpu, memory, processes: Some(PROCESSES) }
}
