//! `/proc` is masked. Upstream's relaxation for pods with a user namespace is behind a gate that is off in 1.33.

use std::collections::BTreeSet;

use super::Violation;
use super::words::{containers, quoted};
use crate::pod::{Container, Pod};

fn bad(container: &Container) -> Option<&str> {
    let kind = container.security_context.as_ref()?.proc_mount.as_deref()?;
    (kind != "Default").then_some(kind)
}

pub(super) fn judge(pod: &Pod) -> Option<Violation> {
    let names: Vec<&str> = pod.containers().filter(|c| bad(c).is_some()).map(|c| c.name.as_str()).collect();
    let kinds: BTreeSet<&str> = pod.containers().filter_map(bad).collect();
    (!names.is_empty()).then(|| Violation {
        reason: "procMount",
        detail: format!("{} must not set securityContext.procMount to {}", containers(&names), quoted(kinds)),
    })
}
