//! Levels, versions, and the policy that a namespace's labels make (`api/helpers.go`).

use std::collections::BTreeMap;
use std::fmt;

use eksile_kube::FieldErrors;

const ENFORCE: &str = "pod-security.kubernetes.io/enforce";
const ENFORCE_VERSION: &str = "pod-security.kubernetes.io/enforce-version";
const AUDIT: &str = "pod-security.kubernetes.io/audit";
const AUDIT_VERSION: &str = "pod-security.kubernetes.io/audit-version";
const WARN: &str = "pod-security.kubernetes.io/warn";
const WARN_VERSION: &str = "pod-security.kubernetes.io/warn-version";

/// How strict a policy is, least strict first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Everything goes.
    Privileged,
    /// Nothing that is known to lead out of the pod.
    Baseline,
    /// What hardened pods do.
    Restricted,
}

impl Level {
    fn parse(text: &str) -> Result<Self, &'static str> {
        match text {
            "privileged" => Ok(Self::Privileged),
            "baseline" => Ok(Self::Baseline),
            "restricted" => Ok(Self::Restricted),
            _ => Err("must be one of privileged, baseline, restricted"),
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Privileged => "privileged",
            Self::Baseline => "baseline",
            Self::Restricted => "restricted",
        })
    }
}

/// The Kubernetes version whose policy is meant. Later ones are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// `v1.N`.
    Minor(u64),
    /// The newest known.
    Latest,
}

impl Version {
    fn parse(text: &str) -> Result<Self, &'static str> {
        const WRONG: &str = "must be \"latest\" or \"v1.x\"";
        if text == "latest" {
            return Ok(Self::Latest);
        }
        let digits = text.strip_prefix("v1.").ok_or(WRONG)?;
        let plain = digits.bytes().all(|b| b.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
        // Upstream counts in Go's int.
        let number = digits.parse().ok().filter(|&n: &u64| plain && i64::try_from(n).is_ok());
        number.map(Self::Minor).ok_or(WRONG)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Minor(minor) => write!(f, "v1.{minor}"),
            Self::Latest => f.write_str("latest"),
        }
    }
}

/// A level as of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standard {
    /// How strict.
    pub level: Level,
    /// As of when.
    pub version: Version,
}

impl Standard {
    /// What holds where nothing is said.
    pub const PRIVILEGED: Self = Self { level: Level::Privileged, version: Version::Latest };
}

impl fmt::Display for Standard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.level, self.version)
    }
}

/// What holds in a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// What pods must keep to.
    pub enforce: Standard,
    /// What is told to the client when it is not kept to.
    pub warn: Standard,
}

/// A label that says nothing that can be understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLabel {
    label: &'static str,
    value: String,
    why: &'static str,
}

/// The wrong labels as errors of the namespace's fields.
#[must_use]
pub fn field_errors(bad: &[BadLabel]) -> FieldErrors {
    let mut errors = FieldErrors::new();
    for label in bad {
        errors.invalid(format!("metadata.labels[{}]", label.label), &label.value.as_str().into(), label.why);
    }
    errors
}

/// One label as it was read.
struct Reading<'a> {
    labels: &'a BTreeMap<String, String>,
    bad: Vec<BadLabel>,
}

impl Reading<'_> {
    /// The parsed value of a label; inside, whether it could not be understood.
    fn read<T>(&mut self, label: &'static str, parse: fn(&str) -> Result<T, &'static str>) -> Option<Option<T>> {
        let value = self.labels.get(label)?;
        let parsed = parse(value).map_err(|why| self.bad.push(BadLabel { label, value: value.clone(), why }));
        Some(parsed.ok())
    }
}

/// The policy of a namespace with these labels, and the labels that are wrong. A level to enforce that cannot be
/// understood is restricted, a version latest; `warn` falls open, since it keeps nobody out.
#[must_use]
pub fn policy(labels: &BTreeMap<String, String>) -> (Policy, Vec<BadLabel>) {
    let mut reading = Reading { labels, bad: Vec::new() };
    let enforce = reading.read(ENFORCE, Level::parse);
    let enforce_version = reading.read(ENFORCE_VERSION, Version::parse);
    // Their values are checked; nothing reads them, since there is no audit log.
    reading.read(AUDIT, Level::parse);
    reading.read(AUDIT_VERSION, Version::parse);
    let warn = reading.read(WARN, Level::parse);
    let warn_version = reading.read(WARN_VERSION, Version::parse);

    let standard = |level: Option<Option<Level>>, or: Level, version: Option<Option<Version>>| Standard {
        level: level.map_or(Level::Privileged, |l| l.unwrap_or(or)),
        version: version.flatten().unwrap_or(Version::Latest),
    };
    let mut policy = Policy {
        enforce: standard(enforce, Level::Restricted, enforce_version),
        warn: standard(warn, Level::Privileged, warn_version),
    };
    // Who enforces a level is also warned by it, about templates of pods, unless something else is said.
    if warn.is_none() && matches!(enforce, Some(Some(_))) && policy.enforce.level > policy.warn.level {
        policy.warn.level = policy.enforce.level;
        if warn_version.is_none() {
            policy.warn.version = policy.enforce.version;
        }
    }
    (policy, reading.bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(labels: &[(&str, &str)]) -> (String, String, usize) {
        let prefixed = |name: &str| format!("pod-security.kubernetes.io/{name}");
        let labels = labels.iter().map(|(name, value)| (prefixed(name), (*value).to_owned())).collect();
        let (policy, bad) = policy(&labels);
        (policy.enforce.to_string(), policy.warn.to_string(), bad.len())
    }

    #[test]
    fn a_level_that_cannot_be_understood_is_the_strictest() {
        let privileged = "privileged:latest".to_owned();
        assert_eq!(read(&[]), (privileged.clone(), privileged.clone(), 0));
        for odd in ["", "Privileged", "privileged ", "none"] {
            assert_eq!(read(&[("enforce", odd)]), ("restricted:latest".to_owned(), privileged.clone(), 1), "{odd:?}");
            assert_eq!(read(&[("warn", odd)]), (privileged.clone(), privileged.clone(), 1), "{odd:?}");
        }
    }

    #[test]
    fn a_version_that_cannot_be_understood_is_the_latest() {
        for odd in ["", "1.20", "v1.020", "v1.", "v2.0", "v1.+5", "v1.9223372036854775808", "Latest", "v1.20\n"] {
            let wanted = "baseline:latest".to_owned();
            let found = read(&[("enforce", "baseline"), ("enforce-version", odd)]);
            assert_eq!(found, (wanted.clone(), wanted, 1), "{odd:?}");
        }
        let (enforced, _, bad) = read(&[("enforce", "baseline"), ("enforce-version", "v1.9223372036854775807")]);
        assert_eq!((enforced.as_str(), bad), ("baseline:v1.9223372036854775807", 0));
    }

    #[test]
    fn what_is_enforced_is_warned_of_unless_something_else_is_said() {
        let both = |text: &str| (text.to_owned(), text.to_owned(), 0);
        assert_eq!(read(&[("enforce", "restricted"), ("enforce-version", "v1.20")]), both("restricted:v1.20"));
        let (_, warned, _) = read(&[("enforce", "restricted"), ("enforce-version", "v1.20"), ("warn-version", "v1.9")]);
        assert_eq!(warned, "restricted:v1.9");
        let (_, warned, _) = read(&[("enforce", "restricted"), ("warn", "privileged")]);
        assert_eq!(warned, "privileged:latest");
    }
}
