//! The runtime's AppArmor profile may be exchanged for another, not taken away.

use std::collections::BTreeSet;

use eksile_kube::field::quote;

use super::Violation;
use super::words::{Sayers, number, quoted};
use crate::pod::{Pod, Shared};

/// Begins the annotations that name a container's profile.
const ANNOTATION: &str = "container.apparmor.security.beta.kubernetes.io/";

fn allowed(value: &str) -> bool {
    value.is_empty() || value == "runtime/default" || value.starts_with("localhost/")
}

fn bad(shared: &Shared) -> Option<&str> {
    let kind = shared.app_armor_profile.as_ref()?.kind();
    (!matches!(kind, "RuntimeDefault" | "Localhost")).then_some(kind)
}

pub(super) fn judge(pod: &Pod) -> Option<Violation> {
    let mut sayers = Sayers::default();
    let mut values = BTreeSet::new();
    if let Some(value) = pod.security().and_then(|c| bad(&c.shared)) {
        sayers.pod();
        values.insert(value);
    }
    for container in pod.containers() {
        if let Some(value) = container.security_context.as_ref().and_then(|c| bad(&c.shared)) {
            sayers.container(container);
            values.insert(value);
        }
    }
    let annotations = pod.annotations().filter(|(key, value)| key.starts_with(ANNOTATION) && !allowed(value));
    let annotations: BTreeSet<String> = annotations.map(|(key, value)| format!("{key}={}", quote(value))).collect();
    sayers.annotations(annotations.len());
    let count = values.len() + annotations.len();
    let values = quoted(values.into_iter().chain(annotations.iter().map(String::as_str)));
    Some(Violation {
        detail: format!("{} must not set AppArmor profile type to {values}", sayers.told()?),
        reason: number("forbidden AppArmor profile", "forbidden AppArmor profiles", count),
    })
}
