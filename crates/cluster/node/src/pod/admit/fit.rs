//! Whether there is room for a pod: requests, ports, numbers.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, Pod, ResourceRequirements};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use crate::pod::verdict::Verdict;
use crate::quantity;

/// What the node's pods may have together (`status.allocatable`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Room {
    /// Thousandths of a processor.
    pub(crate) cpu: i64,
    /// Bytes.
    pub(crate) memory: i64,
    /// Bytes.
    pub(crate) storage: i64,
    /// Number of pods.
    pub(crate) pods: i64,
}

impl Room {
    /// How much of a resource, in thousandths; nothing of one that is not known.
    pub(crate) fn milli(&self, name: &str) -> i64 {
        match name {
            "cpu" => self.cpu,
            "memory" => self.memory.saturating_mul(1000),
            "ephemeral-storage" => self.storage.saturating_mul(1000),
            _ => 0,
        }
    }
}

/// Turns a pod away for which there is no room beside the others.
pub(super) fn check(pod: &Pod, room: &Room, others: &[&Pod]) -> Result<(), Verdict> {
    let count = i64::try_from(others.len()).unwrap_or(i64::MAX);
    lacks("OutOfpods", "pods", 1, count, room.pods)?;
    for (reason, name, all) in [
        ("OutOfcpu", "cpu", room.cpu),
        ("OutOfmemory", "memory", room.memory),
        ("OutOfephemeral-storage", "ephemeral-storage", room.storage),
    ] {
        let requested = requested(pod, name);
        // What asks for nothing fits even where nothing is left.
        if requested > 0 {
            lacks(reason, name, requested, total(others.iter().map(|pod| self::requested(pod, name))), all)?;
        }
    }
    let taken: Vec<Port<'_>> = others.iter().flat_map(|pod| ports(pod)).collect();
    if ports(pod).iter().any(|port| taken.iter().any(|other| port.collides(other))) {
        let text = "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports";
        return Err(Verdict::rejected("NodePorts", text));
    }
    Ok(())
}

fn lacks(reason: &'static str, name: &str, requested: i64, used: i64, capacity: i64) -> Result<(), Verdict> {
    if requested <= capacity.saturating_sub(used) {
        return Ok(());
    }
    let text =
        format!("Node didn't have enough resource: {name}, requested: {requested}, used: {used}, capacity: {capacity}");
    Err(Verdict::rejected(reason, text))
}

/// A pod's request: its containers together, or its largest init container if that is more (Kubernetes documentation,
/// "Init Containers", resource sharing).
fn requested(pod: &Pod, name: &str) -> i64 {
    let Some(spec) = &pod.spec else { return 0 };
    let of = |container: &Container| container.resources.as_ref().map_or(0, |resources| request(resources, name));
    let together = total(spec.containers.iter().map(of));
    let largest = spec.init_containers.iter().flatten().map(of).max().unwrap_or(0);
    let overhead = spec.overhead.as_ref().map_or(0, |table| amount(table, name));
    together.max(largest).saturating_add(overhead)
}

/// Whoever asks for more than there can be asks for all there can be.
fn total(amounts: impl Iterator<Item = i64>) -> i64 {
    amounts.fold(0, i64::saturating_add)
}

fn request(resources: &ResourceRequirements, name: &str) -> i64 {
    resources.requests.as_ref().map_or(0, |table| amount(table, name))
}

fn amount(table: &BTreeMap<String, Quantity>, name: &str) -> i64 {
    let unit = if name == "cpu" { quantity::milli } else { quantity::units };
    table.get(name).and_then(|value| unit(&value.0)).unwrap_or(0)
}

struct Port<'a> {
    address: &'a str,
    protocol: &'a str,
    number: i32,
}

impl Port<'_> {
    fn collides(&self, other: &Self) -> bool {
        let any = |address: &str| matches!(address, "" | "0.0.0.0");
        let addresses = any(self.address) || any(other.address) || self.address == other.address;
        addresses && self.protocol == other.protocol && self.number == other.number
    }
}

fn ports(pod: &Pod) -> Vec<Port<'_>> {
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    let ports = containers.flat_map(|container| container.ports.iter().flatten());
    let on_node = ports.filter_map(|port| {
        let number = port.host_port.filter(|number| *number > 0)?;
        let protocol = port.protocol.as_deref().unwrap_or("TCP");
        Some(Port { address: port.host_ip.as_deref().unwrap_or_default(), protocol, number })
    });
    on_node.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const ROOM: Room = Room { cpu: 2000, memory: 1 << 30, storage: 1 << 30, pods: 2 };

    fn pod(requests: &serde_json::Value) -> Pod {
        let container = json!({"name": "c", "resources": {"requests": requests}});
        serde_json::from_value(json!({"metadata": {}, "spec": {"containers": [container]}})).unwrap()
    }

    #[test]
    fn requests_must_fit_beside_the_others() {
        let (small, large) = (pod(&json!({"cpu": "500m"})), pod(&json!({"cpu": "1600m", "memory": "1Mi"})));
        assert_eq!(check(&large, &ROOM, &[]), Ok(()));
        let refused = check(&large, &ROOM, &[&small]).unwrap_err();
        assert_eq!(refused.reason, "OutOfcpu");
        let text = "Node didn't have enough resource: cpu, requested: 1600, used: 500, capacity: 2000";
        assert_eq!(refused.message, text);
        assert_eq!(check(&small, &ROOM, &[&small, &small]).unwrap_err().reason, "OutOfpods");
        assert_eq!(check(&pod(&json!({"memory": "2Gi"})), &ROOM, &[]).unwrap_err().reason, "OutOfmemory");
        let full = Room { cpu: 0, ..ROOM };
        assert_eq!(check(&pod(&json!({})), &full, &[&small]), Ok(()));
    }

    #[test]
    fn more_than_can_be_counted_is_too_much() {
        let greedy = pod(&json!({"cpu": "1e40", "memory": "9Ei"}));
        assert_eq!(check(&greedy, &ROOM, &[]).unwrap_err().reason, "OutOfcpu");
        let (memory, small) = (pod(&json!({"memory": "7Ei"})), pod(&json!({"memory": "1"})));
        assert_eq!(check(&small, &ROOM, &[&memory, &memory]).unwrap_err().reason, "OutOfpods");
        let room = Room { pods: 3, ..ROOM };
        assert_eq!(check(&small, &room, &[&memory, &memory]).unwrap_err().reason, "OutOfmemory");
    }

    #[test]
    fn the_largest_init_container_counts() {
        let mut pod = pod(&json!({"cpu": "1"}));
        let init: Container =
            serde_json::from_value(json!({"name": "i", "resources": {"requests": {"cpu": "3"}}})).unwrap();
        pod.spec.as_mut().unwrap().init_containers = Some(vec![init]);
        assert_eq!(requested(&pod, "cpu"), 3000);
    }

    #[test]
    fn a_port_of_the_node_is_had_once() {
        let with = |ip: &str, protocol: &str| -> Pod {
            let port = json!({"containerPort": 80, "hostPort": 80, "hostIP": ip, "protocol": protocol});
            let container = json!({"name": "c", "ports": [port]});
            serde_json::from_value(json!({"metadata": {}, "spec": {"containers": [container]}})).unwrap()
        };
        let first = with("127.0.0.1", "TCP");
        assert_eq!(check(&with("127.0.0.2", "TCP"), &ROOM, &[&first]), Ok(()));
        assert_eq!(check(&with("", "UDP"), &ROOM, &[&first]), Ok(()));
        assert_eq!(check(&with("", "TCP"), &ROOM, &[&first]).unwrap_err().reason, "NodePorts");
    }
}
