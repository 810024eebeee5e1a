//! No privileged containers.

use super::Violation;
use super::words::containers;
use crate::pod::{Container, Pod};

pub(super) fn judge(pod: &Pod) -> Option<Violation> {
    let says = |c: &Container| c.security_context.as_ref()?.privileged;
    let bad: Vec<&str> = pod.containers().filter(|c| says(c) == Some(true)).map(|c| c.name.as_str()).collect();
    (!bad.is_empty()).then(|| Violation {
        reason: "privileged",
        detail: format!("{} must not set securityContext.privileged=true", containers(&bad)),
    })
}
