//! No processes of a Windows node.

use super::Violation;
use super::words::Sayers;
use crate::pod::{Pod, Shared};

fn asks(shared: &Shared) -> bool {
    shared.windows_options.as_ref().is_some_and(|windows| windows.host_process == Some(true))
}

pub(super) fn judge(pod: &Pod) -> Option<Violation> {
    let mut sayers = Sayers::default();
    if pod.security().is_some_and(|c| asks(&c.shared)) {
        sayers.pod();
    }
    for container in pod.containers() {
        if container.security_context.as_ref().is_some_and(|c| asks(&c.shared)) {
            sayers.container(container);
        }
    }
    Some(Violation {
        detail: format!("{} must not set securityContext.windowsOptions.hostProcess=true", sayers.told()?),
        reason: "hostProcess",
    })
}
