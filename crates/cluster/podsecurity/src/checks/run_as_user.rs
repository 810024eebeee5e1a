//! Not as user 0, from 1.23. Upstream's relaxation for pods with a user namespace is behind a gate that is off in 1.33.

use super::Violation;
use super::words::Sayers;
use crate::pod::Pod;

pub(super) fn judge(pod: &Pod) -> Option<Violation> {
    let mut sayers = Sayers::default();
    if pod.security().is_some_and(|c| c.shared.run_as_user == Some(0)) {
        sayers.pod();
    }
    for container in pod.containers() {
        if container.security_context.as_ref().is_some_and(|c| c.shared.run_as_user == Some(0)) {
            sayers.container(container);
        }
    }
    Some(Violation { detail: format!("{} must not set runAsUser=0", sayers.told()?), reason: "runAsUser=0" })
}
