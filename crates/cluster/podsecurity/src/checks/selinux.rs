//! SELinux: types of containers only, no other user or role.

use std::collections::BTreeSet;

use super::Violation;
use super::words::{Sayers, number, quoted};
use crate::pod::{Pod, SeLinux};

const FIRST: &[&str] = &["", "container_t", "container_init_t", "container_kvm_t"];
const WITH_ENGINES: &[&str] = &["", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"];

pub(super) fn first(pod: &Pod) -> Option<Violation> {
    judge(pod, FIRST)
}

/// From 1.31: containers that run containers.
pub(super) fn with_engines(pod: &Pod) -> Option<Violation> {
    judge(pod, WITH_ENGINES)
}

/// What is wrong with the options seen so far.
struct Findings<'a> {
    allowed: &'a [&'a str],
    types: BTreeSet<&'a str>,
    user: bool,
    role: bool,
}

impl<'a> Findings<'a> {
    /// Whether these are fine.
    fn see(&mut self, options: &'a SeLinux) -> bool {
        let type_ = options.type_.as_deref().unwrap_or_default();
        let user = options.user.as_deref().is_some_and(|user| !user.is_empty());
        let role = options.role.as_deref().is_some_and(|role| !role.is_empty());
        let known = self.allowed.contains(&type_);
        if !known {
            self.types.insert(type_);
        }
        self.user |= user;
        self.role |= role;
        known && !user && !role
    }
}

fn judge<'a>(pod: &'a Pod, allowed: &'a [&'a str]) -> Option<Violation> {
    let mut found = Findings { allowed, types: BTreeSet::new(), user: false, role: false };
    let mut sayers = Sayers::default();
    if pod.security().and_then(|c| c.shared.selinux_options.as_ref()).is_some_and(|options| !found.see(options)) {
        sayers.pod();
    }
    for container in pod.containers() {
        let options = container.security_context.as_ref().and_then(|c| c.shared.selinux_options.as_ref());
        if options.is_some_and(|options| !found.see(options)) {
            sayers.container(container);
        }
    }
    let told = sayers.told()?;
    let mut wrong = Vec::new();
    if !found.types.is_empty() {
        let count = found.types.len();
        wrong.push(format!("{} {}", number("type", "types", count), quoted(found.types.iter().copied())));
    }
    if found.user {
        wrong.push("user may not be set".to_owned());
    }
    if found.role {
        wrong.push("role may not be set".to_owned());
    }
    Some(Violation {
        reason: "seLinuxOptions",
        detail: format!("{told} set forbidden securityContext.seLinuxOptions: {}", wrong.join("; ")),
    })
}
