//! No ports of the node.

use std::collections::BTreeSet;

use super::Violation;
use super::words::{containers, number};
use crate::pod::{Container, Pod};

pub(super) fn judge(pod: &Pod) -> Option<Violation> {
    let ports = |c: &Container| -> Vec<String> {
        let ports = c.ports.iter().flatten().filter_map(|port| port.host_port);
        ports.filter(|port| *port != 0).map(|port| port.to_string()).collect()
    };
    let bad: Vec<&str> = pod.containers().filter(|c| !ports(c).is_empty()).map(|c| c.name.as_str()).collect();
    // In the order of their digits, as upstream sorts them.
    let used: BTreeSet<String> = pod.containers().flat_map(ports).collect();
    let used: Vec<String> = used.into_iter().collect();
    (!bad.is_empty()).then(|| Violation {
        reason: "hostPort",
        detail: format!(
            "{} {} {} {}",
            containers(&bad),
            number("uses", "use", bad.len()),
            number("hostPort", "hostPorts", used.len()),
            used.join(", ")
        ),
    })
}
