//! Seccomp: the runtime's profile or one of the node's; beyond the baseline, said so.

use std::collections::{BTreeSet, HashSet};

use eksile_kube::field::quote;

use super::Violation;
use super::words::{Sayers, containers, number, quoted};
use crate::pod::{Container, Pod, Profile};

const REASON: &str = "seccompProfile";
const POD_ANNOTATION: &str = "seccomp.security.alpha.kubernetes.io/pod";
const CONTAINER_ANNOTATION: &str = "container.seccomp.security.alpha.kubernetes.io/";

/// Before 1.19 annotations named the profile.
pub(super) fn annotations(pod: &Pod) -> Option<Violation> {
    let allowed =
        |value: &str| matches!(value, "runtime/default" | "docker/default") || value.starts_with("localhost/");
    let names: HashSet<&str> = pod.containers().map(|container| container.name.as_str()).collect();
    let read = |key: &str| {
        key == POD_ANNOTATION || key.strip_prefix(CONTAINER_ANNOTATION).is_some_and(|name| names.contains(name))
    };
    let bad = pod.annotations().filter(|(key, value)| read(key) && !allowed(value));
    let bad: BTreeSet<String> = bad.map(|(key, value)| format!("{key}={}", quote(value))).collect();
    let bad: Vec<String> = bad.into_iter().collect();
    (!bad.is_empty()).then(|| Violation {
        reason: REASON,
        detail: format!("forbidden {} {}", number("annotation", "annotations", bad.len()), bad.join(", ")),
    })
}

fn allowed(profile: &Profile) -> bool {
    matches!(profile.kind(), "RuntimeDefault" | "Localhost")
}

fn of_pod(pod: &Pod) -> Option<&Profile> {
    pod.security()?.shared.seccomp_profile.as_ref()
}

fn of(container: &Container) -> Option<&Profile> {
    container.security_context.as_ref()?.shared.seccomp_profile.as_ref()
}

/// From 1.19: what is said is no other.
pub(super) fn baseline(pod: &Pod) -> Option<Violation> {
    let mut sayers = Sayers::default();
    let mut values = BTreeSet::new();
    if let Some(profile) = of_pod(pod).filter(|profile| !allowed(profile)) {
        sayers.pod();
        values.insert(profile.kind());
    }
    for container in pod.containers() {
        if let Some(profile) = of(container).filter(|profile| !allowed(profile)) {
            sayers.container(container);
            values.insert(profile.kind());
        }
    }
    let told = sayers.told()?;
    let detail = format!("{told} must not set securityContext.seccompProfile.type to {}", quoted(values));
    Some(Violation { reason: REASON, detail })
}

/// From 1.19: and it is said.
pub(super) fn restricted(pod: &Pod) -> Option<Violation> {
    let bad = baseline(pod);
    if bad.is_some() || of_pod(pod).is_some() {
        return bad;
    }
    let silent: Vec<&str> = pod.containers().filter(|c| of(c).is_none()).map(|c| c.name.as_str()).collect();
    (!silent.is_empty()).then(|| Violation {
        reason: REASON,
        detail: format!(
            "pod or {} must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\"",
            containers(&silent)
        ),
    })
}

/// From 1.25: pods for Windows have no seccomp.
pub(super) fn restricted_unless_windows(pod: &Pod) -> Option<Violation> {
    if pod.windows() { None } else { restricted(pod) }
}
