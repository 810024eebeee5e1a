//! Profiles of AppArmor, SELinux and seccomp.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Violation, many, named, object, quoted, setters, sorted};
use crate::field::quote;
use crate::references::{containers, text};

const POD: &str = "/spec/securityContext";
const CONTAINER: &str = "/securityContext";

/// Who sets a profile to what is not allowed.
#[derive(Default)]
struct Set<'a> {
    pod: bool,
    containers: Vec<&'a str>,
    /// Containers for which nobody says anything.
    unset: Vec<&'a str>,
    values: BTreeSet<String>,
}

impl<'a> Set<'a> {
    /// The `type` of a profile of this name, in the pod and in its containers.
    fn of(pod: &'a Value, profile: &str, allowed: &[&str]) -> Self {
        let kind = |value: &'a Value, at: &str| {
            let found = object(value, &format!("{at}/{profile}"))?;
            Some(text(found, "/type"))
        };
        let mut set = Self::default();
        let own = kind(pod, POD);
        if let Some(bad) = own.filter(|own| !allowed.contains(own)) {
            set.pod = true;
            set.values.insert(bad.to_owned());
        }
        let covered = own.is_some() && !set.pod;
        for container in containers(pod) {
            let name = text(container, "/name");
            match kind(container, CONTAINER) {
                Some(good) if allowed.contains(&good) => {}
                Some(bad) => {
                    set.containers.push(name);
                    set.values.insert(bad.to_owned());
                }
                None if covered => {}
                None => set.unset.push(name),
            }
        }
        set
    }

    fn is_empty(&self) -> bool {
        !self.pod && self.containers.is_empty()
    }
}

/// `appArmorProfile`.
pub(super) fn app_armor(pod: &Value) -> Option<Violation> {
    let set = Set::of(pod, "appArmorProfile", &["RuntimeDefault", "Localhost"]);
    let allowed = |value: &str| value.is_empty() || value == "runtime/default" || value.starts_with("localhost/");
    let annotations = pod.pointer("/metadata/annotations").and_then(Value::as_object).into_iter().flatten();
    let mut bad: Vec<String> = annotations
        .filter(|(key, _)| key.starts_with("container.apparmor.security.beta.kubernetes.io/"))
        .map(|(key, value)| (key, value.as_str().unwrap_or_default()))
        .filter(|(_, value)| !allowed(value))
        .map(|(key, value)| format!("{key}={}", quote(value)))
        .collect();
    bad.sort();
    if set.is_empty() && bad.is_empty() {
        return None;
    }
    let mut who: Vec<String> = vec![setters(set.pod, &set.containers)];
    who.retain(|who| !who.is_empty());
    if !bad.is_empty() {
        who.push(many("annotation", bad.len()));
    }
    let mut values = sorted(set.values);
    values.extend(bad);
    let detail = format!("{} must not set AppArmor profile type to {}", who.join(" and "), quoted(&values));
    Some(Violation::new(many("forbidden AppArmor profile", values.len()), detail))
}

/// What SELinux options say that they may not.
#[derive(Default)]
struct Labels {
    types: BTreeSet<String>,
    user: bool,
    role: bool,
}

impl Labels {
    fn judge(&mut self, options: Option<&Value>, allowed: &[&str]) -> bool {
        let Some(options) = options else { return false };
        let kind = text(options, "/type");
        let (bad_type, user, role) =
            (!allowed.contains(&kind), !text(options, "/user").is_empty(), !text(options, "/role").is_empty());
        if bad_type {
            self.types.insert(kind.to_owned());
        }
        self.user |= user;
        self.role |= role;
        bad_type || user || role
    }

    fn told(self) -> String {
        let mut parts = Vec::new();
        if !self.types.is_empty() {
            let types = sorted(self.types);
            parts.push(format!("{} {}", many("type", types.len()), quoted(&types)));
        }
        if self.user {
            parts.push("user may not be set".to_owned());
        }
        if self.role {
            parts.push("role may not be set".to_owned());
        }
        parts.join("; ")
    }
}

fn se_linux(pod: &Value, allowed: &[&str]) -> Option<Violation> {
    let mut labels = Labels::default();
    let own = labels.judge(object(pod, &format!("{POD}/seLinuxOptions")), allowed);
    let mut names = Vec::new();
    for container in containers(pod) {
        if labels.judge(object(container, &format!("{CONTAINER}/seLinuxOptions")), allowed) {
            names.push(text(container, "/name"));
        }
    }
    (own || !names.is_empty()).then(|| {
        let who = setters(own, &names);
        Violation::new(
            "seLinuxOptions",
            format!("{who} set forbidden securityContext.seLinuxOptions: {}", labels.told()),
        )
    })
}

/// `seLinuxOptions` of 1.0.
pub(super) fn se_linux_0(pod: &Value) -> Option<Violation> {
    se_linux(pod, &["", "container_t", "container_init_t", "container_kvm_t"])
}

/// Of 1.31.
pub(super) fn se_linux_31(pod: &Value) -> Option<Violation> {
    se_linux(pod, &["", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"])
}

const SECCOMP: &[&str] = &["Localhost", "RuntimeDefault"];

/// `seccompProfile_baseline` of 1.0, when profiles were annotations.
pub(super) fn seccomp_annotations(pod: &Value) -> Option<Violation> {
    let annotations = pod.pointer("/metadata/annotations").and_then(Value::as_object)?;
    let allowed =
        |value: &str| matches!(value, "runtime/default" | "docker/default") || value.starts_with("localhost/");
    let own = "seccomp.security.alpha.kubernetes.io/pod".to_owned();
    let keys = containers(pod)
        .map(|one| format!("container.seccomp.security.alpha.kubernetes.io/{}", text(one, "/name")))
        .chain([own]);
    let bad: BTreeSet<String> = keys
        .filter_map(|key| {
            let value = annotations.get(&key)?.as_str().unwrap_or_default();
            (!allowed(value)).then(|| format!("{key}={}", quote(value)))
        })
        .collect();
    let bad = sorted(bad);
    (!bad.is_empty()).then(|| {
        Violation::new("seccompProfile", format!("forbidden {} {}", many("annotation", bad.len()), bad.join(", ")))
    })
}

fn bad_seccomp(set: Set<'_>) -> Option<Violation> {
    (!set.is_empty()).then(|| {
        let who = setters(set.pod, &set.containers);
        let values = quoted(&sorted(set.values));
        Violation::new("seccompProfile", format!("{who} must not set securityContext.seccompProfile.type to {values}"))
    })
}

/// `seccompProfile_baseline` of 1.19.
pub(super) fn seccomp_baseline(pod: &Value) -> Option<Violation> {
    bad_seccomp(Set::of(pod, "seccompProfile", SECCOMP))
}

/// `seccompProfile_restricted`: one must be set.
pub(super) fn seccomp_restricted(pod: &Value) -> Option<Violation> {
    let set = Set::of(pod, "seccompProfile", SECCOMP);
    if !set.is_empty() || set.unset.is_empty() {
        return bad_seccomp(set);
    }
    let who = named("container", &set.unset);
    let what = "must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\"";
    Some(Violation::new("seccompProfile", format!("pod or {who} {what}")))
}
