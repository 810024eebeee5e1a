//! Who containers run as, and what they may become.

use serde_json::Value;

use super::{Violation, flag, named, setters, those};

/// `privileged`.
pub(super) fn privileged(pod: &Value) -> Option<Violation> {
    let names = those(pod, |one| flag(one, "/securityContext/privileged") == Some(true));
    (!names.is_empty()).then(|| {
        let who = named("container", &names);
        Violation::new("privileged", format!("{who} must not set securityContext.privileged=true"))
    })
}

/// `allowPrivilegeEscalation`.
pub(super) fn escalation(pod: &Value) -> Option<Violation> {
    let names = those(pod, |one| flag(one, "/securityContext/allowPrivilegeEscalation") != Some(false));
    (!names.is_empty()).then(|| {
        let who = named("container", &names);
        let detail = format!("{who} must set securityContext.allowPrivilegeEscalation=false");
        Violation::new("allowPrivilegeEscalation != false", detail)
    })
}

/// `runAsNonRoot`.
pub(super) fn non_root(pod: &Value) -> Option<Violation> {
    const REASON: &str = "runAsNonRoot != true";
    let own = flag(pod, "/spec/securityContext/runAsNonRoot");
    let said = |one: &Value| flag(one, "/securityContext/runAsNonRoot");
    let names = those(pod, |one| said(one) == Some(false));
    if own == Some(false) || !names.is_empty() {
        let who = setters(own == Some(false), &names);
        return Some(Violation::new(REASON, format!("{who} must not set securityContext.runAsNonRoot=false")));
    }
    let silent = those(pod, |one| said(one).is_none() && own != Some(true));
    (!silent.is_empty()).then(|| {
        let who = named("container", &silent);
        Violation::new(REASON, format!("pod or {who} must set securityContext.runAsNonRoot=true"))
    })
}

/// `runAsUser`.
pub(super) fn root_id(pod: &Value) -> Option<Violation> {
    let root = |value: &Value, at: &str| value.pointer(at).and_then(Value::as_i64) == Some(0);
    let own = root(pod, "/spec/securityContext/runAsUser");
    let names = those(pod, |one| root(one, "/securityContext/runAsUser"));
    (own || !names.is_empty())
        .then(|| Violation::new("runAsUser=0", format!("{} must not set runAsUser=0", setters(own, &names))))
}
