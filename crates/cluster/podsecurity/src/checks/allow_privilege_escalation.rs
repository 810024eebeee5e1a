//! Programs must not gain rights by being started (set-user-id files).

use super::Violation;
use super::words::containers;
use crate::pod::Pod;

/// Every container says so, from 1.8.
pub(super) fn judge(pod: &Pod) -> Option<Violation> {
    let says = |c: &crate::pod::Container| c.security_context.as_ref()?.allow_privilege_escalation;
    let bad: Vec<&str> = pod.containers().filter(|c| says(c) != Some(false)).map(|c| c.name.as_str()).collect();
    (!bad.is_empty()).then(|| Violation {
        reason: "allowPrivilegeEscalation != false",
        detail: format!("{} must set securityContext.allowPrivilegeEscalation=false", containers(&bad)),
    })
}

/// From 1.25: pods for Windows cannot say so, and need not.
pub(super) fn unless_windows(pod: &Pod) -> Option<Violation> {
    if pod.windows() { None } else { judge(pod) }
}
