//! Security contexts, and what an operating system cannot do.

use std::collections::HashSet;

use eksile_kube::FieldErrors;
use serde_json::Value;

use crate::names::{between, one_of};
use crate::tree::{at, items, number, text, truth};

const LARGEST_ID: i64 = i32::MAX as i64;
const SYSCTL: &str = "must have at most 253 characters and match regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$";

/// Checks a container's context.
pub(super) fn of_container(context: &Value, path: &str, errors: &mut FieldErrors) {
    if !context.is_object() {
        return;
    }
    for field in ["runAsUser", "runAsGroup"] {
        if let Some(id) = number(context, &format!("/{field}")) {
            between(id, 0, LARGEST_ID, &format!("{path}.{field}"), errors);
        }
    }
    let mount = text(context, "/procMount");
    if !mount.is_empty() {
        one_of(mount, &["Default", "Unmasked"], &format!("{path}.procMount"), errors);
    }
    seccomp(at(context, "/seccompProfile"), &format!("{path}.seccompProfile"), errors);
    if at(context, "/allowPrivilegeEscalation") == &Value::Bool(false) {
        if truth(context, "/privileged") {
            let why = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true";
            errors.invalid_verbatim(path, context.to_string(), why);
        }
        if items(context, "/capabilities/add").iter().any(|c| c == "CAP_SYS_ADMIN") {
            let why = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN";
            errors.invalid_verbatim(path, context.to_string(), why);
        }
    }
    app_armor(at(context, "/appArmorProfile"), &format!("{path}.appArmorProfile"), errors);
}

/// Only a pod with its own users may see all of `/proc`.
pub(super) fn unmasked(pod: &Value, errors: &mut FieldErrors) {
    if at(pod, "/spec/hostUsers") == &Value::Bool(false) {
        return;
    }
    for (path, container) in super::super::containers(pod) {
        let mount = at(container, "/securityContext/procMount");
        if mount == "Unmasked" {
            let path = format!("{path}.securityContext.procMount");
            errors.invalid(path, mount, "`hostUsers` must be false to use `Unmasked`");
        }
    }
}

/// Checks the pod's context.
pub(super) fn of_pod(pod: &Value, errors: &mut FieldErrors) {
    let path = "spec.securityContext";
    let context = at(pod, "/spec/securityContext");
    for field in ["fsGroup", "runAsUser", "runAsGroup"] {
        if let Some(id) = number(context, &format!("/{field}")) {
            between(id, 0, LARGEST_ID, &format!("{path}.{field}"), errors);
        }
    }
    for (index, group) in items(context, "/supplementalGroups").iter().enumerate() {
        let id = group.as_i64().unwrap_or_default();
        between(id, 0, LARGEST_ID, &format!("{path}.supplementalGroups[{index}]"), errors);
    }
    if truth(pod, "/spec/shareProcessNamespace") && truth(pod, "/spec/hostPID") {
        let why = "ShareProcessNamespace and HostPID cannot both be enabled";
        errors.invalid(format!("{path}.shareProcessNamespace"), &true.into(), why);
    }
    sysctls(pod, &format!("{path}.sysctls"), errors);
    let change = text(context, "/fsGroupChangePolicy");
    if !change.is_empty() {
        one_of(change, &["Always", "OnRootMismatch"], &format!("{path}.fsGroupChangePolicy"), errors);
    }
    seccomp(at(context, "/seccompProfile"), &format!("{path}.seccompProfile"), errors);
    app_armor(at(context, "/appArmorProfile"), &format!("{path}.appArmorProfile"), errors);
}

fn sysctls(pod: &Value, path: &str, errors: &mut FieldErrors) {
    let mut seen: HashSet<&str> = HashSet::new();
    for (index, sysctl) in items(pod, "/spec/securityContext/sysctls").iter().enumerate() {
        let name = text(sysctl, "/name");
        let path = format!("{path}[{index}].name");
        let again = !seen.insert(name);
        let of_node = of_node(pod, name).map(|why| (path.clone(), why));
        if name.is_empty() {
            errors.required(path, "");
        } else if name.len() > 253 || !name.split(['.', '/']).all(is_sysctl_part) {
            errors.invalid(path, &name.into(), SYSCTL);
        } else if again {
            errors.duplicate(path, &name.into());
        }
        if let Some((path, why)) = of_node {
            errors.invalid(path, &name.into(), why);
        }
    }
}

/// What the node's own namespace would be changed by.
fn of_node(pod: &Value, sysctl: &str) -> Option<&'static str> {
    // Slashes may stand for the dots; then dots stand for slashes.
    let dotted = match sysctl.find(['.', '/']) {
        Some(first) if sysctl[first..].starts_with('/') => sysctl
            .chars()
            .map(|c| {
                if c == '/' {
                    '.'
                } else if c == '.' {
                    '/'
                } else {
                    c
                }
            })
            .collect(),
        _ => sysctl.to_owned(),
    };
    let messages = ["sem", "shm", "shmall", "shmmax", "shmmni", "shm_rmid_forced", "msg", "msgmax", "msgmnb", "msgmni"];
    let ipc = dotted.starts_with("fs.mqueue.") || dotted.strip_prefix("kernel.").is_some_and(|n| messages.contains(&n));
    if truth(pod, "/spec/hostNetwork") && dotted.starts_with("net.") {
        return Some("may not be specified when 'hostNetwork' is true");
    }
    (truth(pod, "/spec/hostIPC") && ipc).then_some("may not be specified when 'hostIPC' is true")
}

fn is_sysctl_part(part: &str) -> bool {
    let edge = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = part.as_bytes();
    bytes.iter().all(|b| edge(*b) || b"-_".contains(b))
        && bytes.first().is_some_and(|b| edge(*b))
        && bytes.last().is_some_and(|b| edge(*b))
}

fn seccomp(profile: &Value, path: &str, errors: &mut FieldErrors) {
    if !profile.is_object() {
        return;
    }
    let kind = text(profile, "/type");
    let file = text(profile, "/localhostProfile");
    if kind.is_empty() {
        errors.required(format!("{path}.type"), "type is required when seccompProfile is set");
    } else {
        one_of(kind, &["Localhost", "RuntimeDefault", "Unconfined"], &format!("{path}.type"), errors);
    }
    let path = format!("{path}.localhostProfile");
    match (kind, file.is_empty()) {
        ("Localhost", true) => errors.required(path, "must be set when seccomp type is Localhost"),
        ("Localhost", false) => super::volumes::descending(file, &path, errors),
        (_, false) => errors.invalid(path, &file.into(), "can only be set when seccomp type is Localhost"),
        (_, true) => {}
    }
}

fn app_armor(profile: &Value, path: &str, errors: &mut FieldErrors) {
    if !profile.is_object() {
        return;
    }
    let kind = text(profile, "/type");
    let file = text(profile, "/localhostProfile");
    if kind.is_empty() {
        errors.required(format!("{path}.type"), "type is required when appArmorProfile is set");
    } else {
        one_of(kind, &["Localhost", "RuntimeDefault", "Unconfined"], &format!("{path}.type"), errors);
    }
    let path = format!("{path}.localhostProfile");
    match (kind, file.is_empty()) {
        ("Localhost", true) => errors.required(path, "must be set when AppArmor type is Localhost"),
        (other, false) if other != "Localhost" => {
            errors.invalid(path, &file.into(), "can only be set when AppArmor type is Localhost");
        }
        _ => {}
    }
}

/// What the operating system that a pod names cannot do.
pub(super) fn of_system(pod: &Value, errors: &mut FieldErrors) {
    let system = at(pod, "/spec/os");
    if !system.is_object() {
        return;
    }
    match text(system, "/name") {
        "linux" => {}
        "windows" => windows(pod, errors),
        "" => errors.required("spec.os.name", "cannot be empty"),
        other => errors.not_supported("spec.os", &other.into(), &["linux", "windows"]),
    }
}

fn windows(pod: &Value, errors: &mut FieldErrors) {
    let why = "cannot be set for a windows pod";
    let mut refused = |set: bool, path: String| {
        if set {
            errors.forbidden(path, why);
        }
    };
    let spec = |field: &str| at(pod, "/spec").get(field).cloned().unwrap_or_default();
    refused(spec("hostPID") == Value::Bool(true), "spec.hostPID".into());
    refused(spec("hostIPC") == Value::Bool(true), "spec.hostIPC".into());
    let fields = [
        "seLinuxOptions",
        "seccompProfile",
        "fsGroup",
        "fsGroupChangePolicy",
        "sysctls",
        "runAsUser",
        "runAsGroup",
        "supplementalGroups",
    ];
    for field in fields {
        let set = spec("securityContext").get(field).is_some_and(|v| !v.is_null());
        refused(set, format!("spec.securityContext.{field}"));
    }
    refused(!spec("shareProcessNamespace").is_null(), "spec.shareProcessNamespace".into());
    for list in ["containers", "initContainers"] {
        for (index, container) in items(pod, &format!("/spec/{list}")).iter().enumerate() {
            for field in ["seLinuxOptions", "seccompProfile", "capabilities", "readOnlyRootFilesystem", "privileged"] {
                let set = at(container, "/securityContext").get(field).is_some_and(|v| !v.is_null());
                refused(set, format!("spec.{list}[{index}].securityContext.{field}"));
            }
        }
    }
}
