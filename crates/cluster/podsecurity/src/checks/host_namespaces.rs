//! The node's network, processes and IPC are not shared.

use super::Violation;
use crate::pod::Pod;

pub(super) fn judge(pod: &Pod) -> Option<Violation> {
    let spec = &pod.spec;
    let asked =
        [(spec.host_network, "hostNetwork=true"), (spec.host_pid, "hostPID=true"), (spec.host_ipc, "hostIPC=true")];
    let told: Vec<&str> = asked.into_iter().filter(|(asked, _)| *asked == Some(true)).map(|(_, told)| told).collect();
    (!told.is_empty()).then(|| Violation { reason: "host namespaces", detail: told.join(", ") })
}
