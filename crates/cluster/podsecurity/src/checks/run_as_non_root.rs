//! Not as root, and so said. Upstream's relaxation for pods with a user namespace is behind a gate that is off in 1.33.

use super::Violation;
use super::words::{Sayers, containers};
use crate::pod::{Container, Pod};

pub(super) fn judge(pod: &Pod) -> Option<Violation> {
    const REASON: &str = "runAsNonRoot != true";
    let of_pod = pod.security().and_then(|c| c.shared.run_as_non_root);
    let says = |c: &Container| c.security_context.as_ref()?.shared.run_as_non_root;
    let mut sayers = Sayers::default();
    if of_pod == Some(false) {
        sayers.pod();
    }
    pod.containers().filter(|c| says(c) == Some(false)).for_each(|c| sayers.container(c));
    if let Some(told) = sayers.told() {
        let detail = format!("{told} must not set securityContext.runAsNonRoot=false");
        return Some(Violation { reason: REASON, detail });
    }
    if of_pod == Some(true) {
        return None;
    }
    let silent: Vec<&str> = pod.containers().filter(|c| says(c).is_none()).map(|c| c.name.as_str()).collect();
    (!silent.is_empty()).then(|| Violation {
        reason: REASON,
        detail: format!("pod or {} must set securityContext.runAsNonRoot=true", containers(&silent)),
    })
}
