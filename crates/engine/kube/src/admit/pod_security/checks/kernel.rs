//! What containers see of the kernel's settings.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Violation, named, quoted, sorted};
use crate::references::{containers, items, text};

const PROC_MOUNT: &str = "/securityContext/procMount";

/// `procMount`.
pub(super) fn proc_mount(pod: &Value) -> Option<Violation> {
    let (mut names, mut kinds) = (Vec::new(), BTreeSet::new());
    for container in containers(pod).filter(|one| one.pointer(PROC_MOUNT).is_some_and(Value::is_string)) {
        let kind = text(container, PROC_MOUNT);
        if kind != "Default" {
            names.push(text(container, "/name"));
            kinds.insert(kind.to_owned());
        }
    }
    (!names.is_empty()).then(|| {
        let (who, kinds) = (named("container", &names), quoted(&sorted(kinds)));
        Violation::new("procMount", format!("{who} must not set securityContext.procMount to {kinds}"))
    })
}

/// Settings that reach no further than the pod, and the version in which they were first allowed.
const SAFE: &[(u32, &str)] = &[
    (0, "kernel.shm_rmid_forced"),
    (0, "net.ipv4.ip_local_port_range"),
    (0, "net.ipv4.tcp_syncookies"),
    (0, "net.ipv4.ping_group_range"),
    (0, "net.ipv4.ip_unprivileged_port_start"),
    (27, "net.ipv4.ip_local_reserved_ports"),
    (29, "net.ipv4.tcp_keepalive_time"),
    (29, "net.ipv4.tcp_fin_timeout"),
    (29, "net.ipv4.tcp_keepalive_intvl"),
    (29, "net.ipv4.tcp_keepalive_probes"),
    (32, "net.ipv4.tcp_rmem"),
    (32, "net.ipv4.tcp_wmem"),
];

fn sysctls(pod: &Value, minor: u32) -> Option<Violation> {
    let names = items(pod, "/spec/securityContext/sysctls").map(|one| text(one, "/name"));
    let bad: Vec<&str> =
        names.filter(|name| !SAFE.iter().any(|(since, safe)| *since <= minor && safe == name)).collect();
    (!bad.is_empty()).then(|| Violation::new("forbidden sysctls", bad.join(", ")))
}

/// `sysctls` of 1.0.
pub(super) fn sysctls_0(pod: &Value) -> Option<Violation> {
    sysctls(pod, 0)
}

/// Of 1.27.
pub(super) fn sysctls_27(pod: &Value) -> Option<Violation> {
    sysctls(pod, 27)
}

/// Of 1.29.
pub(super) fn sysctls_29(pod: &Value) -> Option<Violation> {
    sysctls(pod, 29)
}

/// Of 1.32.
pub(super) fn sysctls_32(pod: &Value) -> Option<Violation> {
    sysctls(pod, 32)
}
