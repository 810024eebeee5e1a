//! What the labels of a namespace ask of its pods.

use serde_json::{Map, Value};

use crate::field::FieldErrors;

/// How strict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// Everything.
    Privileged,
    /// What is known to lead out of a container is not allowed.
    Baseline,
    /// What hardening asks for is needed.
    Restricted,
}

impl Level {
    fn read(text: &str) -> Option<Self> {
        match text {
            "privileged" => Some(Self::Privileged),
            "baseline" => Some(Self::Baseline),
            "restricted" => Some(Self::Restricted),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Privileged => "privileged",
            Self::Baseline => "baseline",
            Self::Restricted => "restricted",
        }
    }
}

/// A level as one minor version of Kubernetes has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standard {
    pub(super) level: Level,
    /// `None` is the latest.
    pub(super) minor: Option<u32>,
}

impl Standard {
    const NONE: Self = Self { level: Level::Privileged, minor: None };
}

impl std::fmt::Display for Standard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.minor {
            None => write!(f, "{}:latest", self.level.name()),
            Some(minor) => write!(f, "{}:v1.{minor}", self.level.name()),
        }
    }
}

/// What is asked for, by mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Policy {
    /// Pods that break it are refused.
    pub(super) enforce: Standard,
    /// Those are noted for the audit.
    pub(super) audit: Standard,
    /// Whoever makes such a pod is warned.
    pub(super) warn: Standard,
}

impl Policy {
    /// Whether every pod will do.
    pub(super) fn asks_nothing(&self) -> bool {
        [self.enforce, self.audit, self.warn].iter().all(|standard| standard.level == Level::Privileged)
    }

    /// The policy of a namespace. With labels that cannot be read it is as strict as can be where it counts, and the
    /// errors say so.
    pub(super) fn read(labels: &Map<String, Value>, errors: &mut FieldErrors) -> Self {
        let label = |mode: &str| labels.get(&format!("pod-security.kubernetes.io/{mode}")).and_then(Value::as_str);
        let mut mode = |mode: &str, otherwise: Level| {
            let mut standard = Standard::NONE;
            if let Some(text) = label(mode) {
                standard.level = Level::read(text).unwrap_or_else(|| {
                    refuse(errors, mode, text, "must be one of privileged, baseline, restricted");
                    otherwise
                });
            }
            let version = format!("{mode}-version");
            if let Some(text) = label(&version) {
                standard.minor = version_of(text).unwrap_or_else(|| {
                    refuse(errors, &version, text, "must be \"latest\" or \"v1.x\"");
                    None
                });
            }
            standard
        };
        let enforce = mode("enforce", Level::Restricted);
        let audit = mode("audit", Level::Privileged);
        let mut warn = mode("warn", Level::Privileged);
        let read = label("enforce").and_then(Level::read).is_some();
        // What is enforced is warned of, unless something is said about warnings.
        if label("warn").is_none() && read && enforce.level > warn.level {
            warn.level = enforce.level;
            if label("warn-version").is_none() {
                warn.minor = enforce.minor;
            }
        }
        Self { enforce, audit, warn }
    }
}

fn refuse(errors: &mut FieldErrors, label: &str, text: &str, why: &str) {
    errors.invalid(format!("metadata.labels[pod-security.kubernetes.io/{label}]"), &text.into(), why);
}

/// `latest` or `v1.N`.
#[expect(clippy::option_option, reason = "the latest is a version without a number")]
fn version_of(text: &str) -> Option<Option<u32>> {
    if text == "latest" {
        return Some(None);
    }
    let digits = text.strip_prefix("v1.")?;
    let plain = digits.bytes().all(|b| b.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
    if plain { digits.parse().ok().map(Some) } else { None }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(labels: &[(&str, &str)]) -> (Policy, String) {
        let labels: Map<String, Value> =
            labels.iter().map(|(k, v)| (format!("pod-security.kubernetes.io/{k}"), json!(v))).collect();
        let mut errors = FieldErrors::new();
        let policy = Policy::read(&labels, &mut errors);
        (policy, if errors.is_empty() { String::new() } else { errors.message() })
    }

    #[test]
    fn labels_are_read() {
        let (policy, errors) = read(&[("enforce", "baseline"), ("enforce-version", "v1.24"), ("audit", "restricted")]);
        assert_eq!(errors, "");
        assert_eq!(policy.enforce.to_string(), "baseline:v1.24");
        assert_eq!(policy.audit.to_string(), "restricted:latest");
        assert_eq!(policy.warn.to_string(), "baseline:v1.24", "as enforced");
        let (policy, _) = read(&[("enforce", "restricted"), ("warn", "privileged")]);
        assert_eq!(policy.warn.level, Level::Privileged);
        assert!(read(&[("else", "x")]).0.asks_nothing());
    }

    #[test]
    fn what_cannot_be_read_is_told_and_is_strict() {
        let (policy, errors) = read(&[("enforce", "strict"), ("enforce-version", "v1.07"), ("warn", "x")]);
        assert_eq!(policy.enforce.to_string(), "restricted:latest");
        assert_eq!(policy.warn.level, Level::Privileged);
        for text in [
            "enforce]: Invalid value: \"strict\": must be one of",
            "enforce-version]: Invalid value: \"v1.07\"",
            "warn]",
        ] {
            assert!(errors.contains(text), "{text}: {errors}");
        }
        for bad in ["", "1.24", "v2.0", "v1.", "v1.-1", "v1.99999999999999999999", "v1.01"] {
            assert_eq!(version_of(bad), None, "{bad}");
        }
        assert_eq!(version_of("v1.0"), Some(Some(0)));
    }
}
