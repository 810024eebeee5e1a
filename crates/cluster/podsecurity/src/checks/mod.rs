//! Upstream's checks (`policy/*.go`): one a file, all in one table.

mod allow_privilege_escalation;
mod app_armor;
mod capabilities;
mod host_namespaces;
mod host_path_volumes;
mod host_ports;
mod host_process;
mod privileged;
mod proc_mount;
mod restricted_volumes;
mod run_as_non_root;
mod run_as_user;
mod seccomp;
mod selinux;
mod sysctls;
mod words;

use crate::labels::{Level, Standard, Version};
use crate::pod::Pod;

/// What a check has against a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// In few words; the same for all pods.
    pub reason: &'static str,
    /// What of this pod it is; may be empty.
    pub detail: String,
}

/// A check as of some version; `None` when the pod passes.
type Judge = fn(&Pod) -> Option<Violation>;

/// One check.
struct Check {
    /// Upstream's id.
    id: &'static str,
    /// The least strict level that it belongs to.
    level: Level,
    /// Its forms: the minor version from which each holds, in ascending order.
    forms: &'static [(u64, Judge)],
    /// The check of the baseline that is left out where this one is made.
    instead_of: &'static str,
}

const fn baseline(id: &'static str, forms: &'static [(u64, Judge)]) -> Check {
    Check { id, level: Level::Baseline, forms, instead_of: "" }
}

const fn restricted(id: &'static str, forms: &'static [(u64, Judge)], instead_of: &'static str) -> Check {
    Check { id, level: Level::Restricted, forms, instead_of }
}

/// All, in the order in which violations are told: the baseline's first, each part by its ids' bytes.
static CHECKS: &[Check] = &[
    baseline("appArmorProfile", &[(0, app_armor::judge)]),
    baseline("capabilities_baseline", &[(0, capabilities::baseline)]),
    baseline("hostNamespaces", &[(0, host_namespaces::judge)]),
    baseline("hostPathVolumes", &[(0, host_path_volumes::judge)]),
    baseline("hostPorts", &[(0, host_ports::judge)]),
    baseline("privileged", &[(0, privileged::judge)]),
    baseline("procMount", &[(0, proc_mount::judge)]),
    baseline("seLinuxOptions", &[(0, selinux::first), (31, selinux::with_engines)]),
    baseline("seccompProfile_baseline", &[(0, seccomp::annotations), (19, seccomp::baseline)]),
    baseline(
        "sysctls",
        &[
            (0, sysctls::first),
            (27, sysctls::with_reserved_ports),
            (29, sysctls::with_keepalive),
            (32, sysctls::with_buffers),
        ],
    ),
    baseline("windowsHostProcess", &[(0, host_process::judge)]),
    restricted(
        "allowPrivilegeEscalation",
        &[(8, allow_privilege_escalation::judge), (25, allow_privilege_escalation::unless_windows)],
        "",
    ),
    restricted(
        "capabilities_restricted",
        &[(22, capabilities::restricted), (25, capabilities::restricted_unless_windows)],
        "capabilities_baseline",
    ),
    restricted("restrictedVolumes", &[(0, restricted_volumes::judge)], "hostPathVolumes"),
    restricted("runAsNonRoot", &[(0, run_as_non_root::judge)], ""),
    restricted("runAsUser", &[(23, run_as_user::judge)], ""),
    restricted(
        "seccompProfile_restricted",
        &[(19, seccomp::restricted), (25, seccomp::restricted_unless_windows)],
        "seccompProfile_baseline",
    ),
];

impl Check {
    /// The form that holds at this version.
    fn at(&self, minor: u64) -> Option<Judge> {
        self.forms.iter().rev().find(|(from, _)| *from <= minor).map(|(_, judge)| *judge)
    }
}

/// What a pod does against a standard, in upstream's order (`policy/registry.go`). Empty when it keeps to it.
#[must_use]
pub fn violations(standard: Standard, pod: &Pod) -> Vec<Violation> {
    if standard.level == Level::Privileged {
        return Vec::new();
    }
    let minor = match standard.version {
        Version::Minor(minor) => minor,
        Version::Latest => u64::MAX,
    };
    let asked = |check: &&Check| check.level <= standard.level && check.at(minor).is_some();
    let replaced: Vec<&str> = CHECKS.iter().filter(asked).map(|check| check.instead_of).collect();
    let made = CHECKS.iter().filter(asked).filter(|check| !replaced.contains(&check.id));
    made.filter_map(|check| check.at(minor)?(pod)).collect()
}

/// The reasons alone, for a list of pods.
#[must_use]
pub fn reasons(violations: &[Violation]) -> String {
    let reasons: Vec<&str> = violations.iter().map(|violation| violation.reason).collect();
    reasons.join(", ")
}

/// The reasons with their details, for one pod.
#[must_use]
pub fn details(violations: &[Violation]) -> String {
    let told = violations.iter().map(|Violation { reason, detail }| match detail.as_str() {
        "" => (*reason).to_owned(),
        detail => format!("{reason} ({detail})"),
    });
    told.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
