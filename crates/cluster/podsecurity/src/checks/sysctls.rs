//! Kernel parameters of the pod's own namespaces that harm nobody else.

use super::Violation;
use crate::pod::Pod;

/// Each with the minor version that allowed it.
const ALLOWED: &[(&str, u64)] = &[
    ("kernel.shm_rmid_forced", 0),
    ("net.ipv4.ip_local_port_range", 0),
    ("net.ipv4.tcp_syncookies", 0),
    ("net.ipv4.ping_group_range", 0),
    ("net.ipv4.ip_unprivileged_port_start", 0),
    ("net.ipv4.ip_local_reserved_ports", 27),
    ("net.ipv4.tcp_keepalive_time", 29),
    ("net.ipv4.tcp_fin_timeout", 29),
    ("net.ipv4.tcp_keepalive_intvl", 29),
    ("net.ipv4.tcp_keepalive_probes", 29),
    ("net.ipv4.tcp_rmem", 32),
    ("net.ipv4.tcp_wmem", 32),
];

pub(super) fn first(pod: &Pod) -> Option<Violation> {
    judge(pod, 0)
}

pub(super) fn with_reserved_ports(pod: &Pod) -> Option<Violation> {
    judge(pod, 27)
}

pub(super) fn with_keepalive(pod: &Pod) -> Option<Violation> {
    judge(pod, 29)
}

pub(super) fn with_buffers(pod: &Pod) -> Option<Violation> {
    judge(pod, 32)
}

fn judge(pod: &Pod, minor: u64) -> Option<Violation> {
    let allowed = |name: &&str| ALLOWED.iter().any(|(known, from)| known == name && *from <= minor);
    let sysctls = pod.security().and_then(|c| c.sysctls.as_ref()).into_iter().flatten();
    let names = sysctls.map(|sysctl| sysctl.name.as_deref().unwrap_or_default());
    let bad: Vec<&str> = names.filter(|name| !allowed(name)).collect();
    (!bad.is_empty()).then(|| Violation { reason: "forbidden sysctls", detail: bad.join(", ") })
}
