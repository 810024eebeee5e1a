//! Linux capabilities.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Violation, named, object, quoted, sorted};
use crate::references::{containers, items, text};

/// What containers may have beside what they have.
const USUAL: &[&str] = &[
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

const CAPABILITIES: &str = "/securityContext/capabilities";

fn listed<'a>(container: &'a Value, list: &str) -> Vec<&'a str> {
    let at = format!("{CAPABILITIES}/{list}");
    items(container, &at).map(|one| one.as_str().unwrap_or_default()).collect()
}

/// Containers that add something that is not among `allowed`, and all that they add of it.
fn adding<'a>(pod: &'a Value, allowed: &[&str]) -> (Vec<&'a str>, Vec<String>) {
    let (mut names, mut added) = (Vec::new(), BTreeSet::new());
    for container in containers(pod) {
        let bad: Vec<&str> = listed(container, "add").into_iter().filter(|one| !allowed.contains(one)).collect();
        if !bad.is_empty() {
            names.push(text(container, "/name"));
            added.extend(bad.into_iter().map(str::to_owned));
        }
    }
    (names, sorted(added))
}

fn must_not_include(names: &[&str], added: &[String]) -> String {
    format!("{} must not include {} in securityContext.capabilities.add", named("container", names), quoted(added))
}

/// `capabilities_baseline`.
pub(super) fn baseline(pod: &Value) -> Option<Violation> {
    let (names, added) = adding(pod, USUAL);
    (!names.is_empty()).then(|| Violation::new("non-default capabilities", must_not_include(&names, &added)))
}

/// `capabilities_restricted`.
pub(super) fn restricted(pod: &Value) -> Option<Violation> {
    let keeps = |one: &Value| object(one, CAPABILITIES).is_none() || !listed(one, "drop").contains(&"ALL");
    let keeping = super::those(pod, keeps);
    let (names, added) = adding(pod, &["NET_BIND_SERVICE"]);
    let mut details = Vec::new();
    if !keeping.is_empty() {
        details.push(format!("{} must set securityContext.capabilities.drop=[\"ALL\"]", named("container", &keeping)));
    }
    if !names.is_empty() {
        details.push(must_not_include(&names, &added));
    }
    (!details.is_empty()).then(|| Violation::new("unrestricted capabilities", details.join("; ")))
}
