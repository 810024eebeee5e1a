//! Capabilities: those of a container's default set at the baseline, next to none beyond.

use std::collections::BTreeSet;

use super::Violation;
use super::words::{containers, quoted};
use crate::pod::{Capabilities, Container, Pod};

const DEFAULT: &[&str] = &[
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

fn of(container: &Container) -> Option<&Capabilities> {
    container.security_context.as_ref()?.capabilities.as_ref()
}

/// Containers that add others than `allowed`, told; `None` when there are none.
fn adding(pod: &Pod, allowed: &[&str]) -> Option<String> {
    let mut bad = Vec::new();
    let mut forbidden = BTreeSet::new();
    for container in pod.containers() {
        let added = of(container).and_then(|c| c.add.as_ref()).into_iter().flatten().map(String::as_str);
        let others: Vec<&str> = added.filter(|c| !allowed.contains(c)).collect();
        if !others.is_empty() {
            bad.push(container.name.as_str());
            forbidden.extend(others);
        }
    }
    (!bad.is_empty()).then(|| {
        format!("{} must not include {} in securityContext.capabilities.add", containers(&bad), quoted(forbidden))
    })
}

pub(super) fn baseline(pod: &Pod) -> Option<Violation> {
    Some(Violation { reason: "non-default capabilities", detail: adding(pod, DEFAULT)? })
}

/// From 1.22: all are dropped.
pub(super) fn restricted(pod: &Pod) -> Option<Violation> {
    let drops = |c: &Container| of(c).and_then(|c| c.drop.as_ref()).is_some_and(|d| d.iter().any(|c| c == "ALL"));
    let keeping: Vec<&str> = pod.containers().filter(|c| !drops(c)).map(|c| c.name.as_str()).collect();
    let keeping = (!keeping.is_empty())
        .then(|| format!("{} must set securityContext.capabilities.drop=[\"ALL\"]", containers(&keeping)));
    let told: Vec<String> = keeping.into_iter().chain(adding(pod, &["NET_BIND_SERVICE"])).collect();
    (!told.is_empty()).then(|| Violation { reason: "unrestricted capabilities", detail: told.join("; ") })
}

/// From 1.25: pods for Windows have none.
pub(super) fn restricted_unless_windows(pod: &Pod) -> Option<Violation> {
    if pod.windows() { None } else { restricted(pod) }
}
