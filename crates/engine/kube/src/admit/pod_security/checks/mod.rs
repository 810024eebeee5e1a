//! The checks of the Pod Security Standards (`k8s.io/pod-security-admission/policy`): what each forbids, since which
//! version, and in which words.

mod capabilities;
mod host;
mod kernel;
mod profiles;
mod users;
mod volumes;

use std::collections::BTreeSet;

use serde_json::Value;

use super::policy::{Level, Standard};
use crate::references::{containers, text};

/// The newest version that has a check of its own; later ones are the same.
const NEWEST: u32 = 32;

/// What a check has against a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Violation {
    /// In short.
    reason: String,
    /// At length; may be empty.
    detail: String,
}

impl Violation {
    fn new(reason: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { reason: reason.into(), detail: detail.into() }
    }
}

/// What all checks have against a pod.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Violations(Vec<Violation>);

impl Violations {
    /// Whether there is nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The reasons alone.
    pub(super) fn reasons(&self) -> String {
        let all: Vec<&str> = self.0.iter().map(|v| &*v.reason).collect();
        all.join(", ")
    }

    /// The reasons with their details.
    pub(super) fn details(&self) -> String {
        let one = |v: &Violation| match &*v.detail {
            "" => v.reason.clone(),
            detail => format!("{} ({detail})", v.reason),
        };
        let all: Vec<String> = self.0.iter().map(one).collect();
        all.join(", ")
    }
}

type Check = fn(&Value) -> Option<Violation>;

/// A check from one version to another (exclusive).
struct Row {
    level: Level,
    from: u32,
    until: u32,
    /// For a baseline check: since when a restricted one says more, and takes its place.
    stricter_since: u32,
    check: Check,
}

const NEVER: u32 = u32::MAX;

const fn baseline(from: u32, until: u32, check: Check) -> Row {
    Row { level: Level::Baseline, from, until, stricter_since: NEVER, check }
}

const fn overridden(since: u32, mut row: Row) -> Row {
    row.stricter_since = since;
    row
}

const fn restricted(from: u32, until: u32, check: Check) -> Row {
    Row { level: Level::Restricted, from, until, stricter_since: NEVER, check }
}

/// In the order in which they are told: by upstream's name, those of the baseline first.
const CHECKS: &[Row] = &[
    baseline(0, NEVER, profiles::app_armor),
    overridden(22, baseline(0, NEVER, capabilities::baseline)),
    baseline(0, NEVER, host::namespaces),
    overridden(0, baseline(0, NEVER, volumes::host_path)),
    baseline(0, NEVER, host::ports),
    baseline(0, NEVER, users::privileged),
    baseline(0, NEVER, kernel::proc_mount),
    baseline(0, 31, profiles::se_linux_0),
    baseline(31, NEVER, profiles::se_linux_31),
    overridden(19, baseline(0, 19, profiles::seccomp_annotations)),
    overridden(19, baseline(19, NEVER, profiles::seccomp_baseline)),
    baseline(0, 27, kernel::sysctls_0),
    baseline(27, 29, kernel::sysctls_27),
    baseline(29, 32, kernel::sysctls_29),
    baseline(32, NEVER, kernel::sysctls_32),
    baseline(0, NEVER, host::windows_process),
    restricted(8, 25, users::escalation),
    restricted(25, NEVER, |pod| unless_windows(pod, users::escalation)),
    restricted(22, 25, capabilities::restricted),
    restricted(25, NEVER, |pod| unless_windows(pod, capabilities::restricted)),
    restricted(0, NEVER, volumes::restricted),
    restricted(0, NEVER, users::non_root),
    restricted(23, NEVER, users::root_id),
    restricted(19, 25, profiles::seccomp_restricted),
    restricted(25, NEVER, |pod| unless_windows(pod, profiles::seccomp_restricted)),
];

/// Holds a pod against a standard.
pub(super) fn evaluate(standard: Standard, pod: &Value) -> Violations {
    if standard.level == Level::Privileged {
        return Violations::default();
    }
    let minor = standard.minor.unwrap_or(NEWEST).min(NEWEST);
    let strict = standard.level == Level::Restricted;
    let applies = |row: &&Row| {
        let in_force = row.from <= minor && minor < row.until;
        let replaced = strict && row.level == Level::Baseline && row.stricter_since <= minor;
        in_force && !replaced && row.level <= standard.level
    };
    Violations(CHECKS.iter().filter(applies).filter_map(|row| (row.check)(pod)).collect())
}

fn unless_windows(pod: &Value, check: Check) -> Option<Violation> {
    if text(pod, "/spec/os/name") == "windows" { None } else { check(pod) }
}

/// The names of the containers of which something is true.
fn those(pod: &Value, is: impl Fn(&Value) -> bool) -> Vec<&str> {
    containers(pod).filter(|one| is(one)).map(|one| text(one, "/name")).collect()
}

/// `"a", "b"`.
fn quoted<T: AsRef<str>>(items: &[T]) -> String {
    let all: Vec<String> = items.iter().map(|item| format!("\"{}\"", item.as_ref())).collect();
    all.join(", ")
}

fn sorted(set: BTreeSet<String>) -> Vec<String> {
    set.into_iter().collect()
}

/// The noun for so many.
fn many(noun: &str, count: usize) -> String {
    if count == 1 { noun.to_owned() } else { format!("{noun}s") }
}

/// `container "a"`, `containers "a", "b"`.
fn named(noun: &str, names: &[&str]) -> String {
    format!("{} {}", many(noun, names.len()), quoted(names))
}

/// Who sets something: the pod, containers, or both.
fn setters(pod: bool, names: &[&str]) -> String {
    let mut all: Vec<String> = pod.then(|| "pod".to_owned()).into_iter().collect();
    if !names.is_empty() {
        all.push(named("container", names));
    }
    all.join(" and ")
}

/// The flag at a pointer, if one is given.
fn flag(value: &Value, pointer: &str) -> Option<bool> {
    value.pointer(pointer).and_then(Value::as_bool)
}

/// The object at a pointer, if there is one.
fn object<'a>(value: &'a Value, pointer: &str) -> Option<&'a Value> {
    value.pointer(pointer).filter(|found| found.is_object())
}

#[cfg(test)]
mod tests;
