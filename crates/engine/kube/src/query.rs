//! The query string, decoded once.

use std::borrow::Cow;

use crate::field::FieldErrors;
use crate::status::StatusError;

/// Parameters in the order in which they came.
#[derive(Debug, Default)]
pub struct Query<'a> {
    pairs: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> Query<'a> {
    /// Decodes `a=b&c=d`; never fails, as the standard's algorithm never does.
    #[must_use]
    pub fn parse(text: Option<&'a str>) -> Self {
        match text {
            None | Some("") => Self::default(),
            Some(text) => Self { pairs: form_urlencoded::parse(text.as_bytes()).collect() },
        }
    }

    /// The first value of a parameter, empty when it is missing.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        self.pairs.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// All values of a parameter.
    pub fn all<'q>(&'q self, name: &'q str) -> impl Iterator<Item = &'q str> {
        self.pairs.iter().filter(move |(key, _)| key == name).map(|(_, value)| &**value)
    }

    /// Whether the parameter is there.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.pairs.iter().any(|(key, _)| key == name)
    }

    /// A flag, by the conversion that upstream uses: everything but `0` and `false` is true when it is there.
    #[must_use]
    pub fn flag(&self, name: &str) -> bool {
        self.has(name) && !matches!(self.get(name).to_ascii_lowercase().as_str(), "0" | "false")
    }

    /// An integer; `None` when it is missing.
    ///
    /// # Errors
    /// 400 when it is not one.
    pub fn number(&self, name: &str) -> Result<Option<i64>, StatusError> {
        if !self.has(name) {
            return Ok(None);
        }
        let text = self.get(name);
        text.parse().map(Some).map_err(|error: std::num::ParseIntError| {
            use std::num::IntErrorKind::{NegOverflow, PosOverflow};
            let what = match error.kind() {
                NegOverflow | PosOverflow => "value out of range",
                _ => "invalid syntax",
            };
            StatusError::bad_request(format!("strconv.ParseInt: parsing {}: {what}", crate::field::quote(text)))
        })
    }
}

/// How strictly unknown and duplicate fields are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldValidation {
    /// Silence.
    Ignore,
    /// Warnings (the default).
    Warn,
    /// Refusal.
    Strict,
}

/// What create, update, patch and apply have in common.
#[derive(Debug, Clone)]
pub struct WriteOptions {
    /// Nothing is stored.
    pub dry_run: bool,
    /// Who writes, for managed fields; empty when the user agent decides.
    pub field_manager: String,
    /// Unknown fields.
    pub validation: FieldValidation,
    /// Apply takes conflicting fields over.
    pub force: bool,
}

impl WriteOptions {
    /// Reads and checks them; `kind` is upstream's name of the options type, for messages.
    ///
    /// # Errors
    /// 422 for values outside the closed sets.
    pub fn read(query: &Query<'_>, kind: &str) -> Result<Self, StatusError> {
        if query.pairs.is_empty() {
            return Ok(Self {
                dry_run: false,
                field_manager: String::new(),
                validation: FieldValidation::Warn,
                force: false,
            });
        }
        let mut errors = FieldErrors::new();
        let dry_run = dry_run(query.all("dryRun"), &mut errors);
        let validation = match query.get("fieldValidation") {
            "" | "Warn" => FieldValidation::Warn,
            "Strict" => FieldValidation::Strict,
            "Ignore" => FieldValidation::Ignore,
            other => {
                errors.not_supported("fieldValidation", &other.into(), &["", "Ignore", "Strict", "Warn"]);
                FieldValidation::Warn
            }
        };
        let field_manager = query.get("fieldManager").to_owned();
        check_manager(&field_manager, &mut errors);
        if errors.is_empty() {
            Ok(Self { dry_run, field_manager, validation, force: query.flag("force") })
        } else {
            Err(StatusError::invalid("meta.k8s.io", kind, "", &errors))
        }
    }
}

/// `dryRun`: all values must be `All`.
pub fn dry_run<'q>(values: impl Iterator<Item = &'q str>, errors: &mut FieldErrors) -> bool {
    let mut any = false;
    let mut bad = Vec::new();
    for value in values {
        if value == "All" {
            any = true;
        } else {
            bad.push(serde_json::Value::from(value));
        }
    }
    if !bad.is_empty() {
        let shown: Vec<String> = bad.iter().filter_map(|v| v.as_str()).map(crate::field::quote).collect();
        errors.push(crate::field::FieldError {
            kind: crate::field::FieldErrorKind::NotSupported,
            field: "dryRun".into(),
            value: Some(format!("[]string{{{}}}", shown.join(", "))),
            detail: "supported values: \"All\"".into(),
        });
    }
    any
}

fn check_manager(name: &str, errors: &mut FieldErrors) {
    if name.len() > 128 {
        errors.too_long("fieldManager", 128);
    }
    if name.chars().any(char::is_control) {
        errors.invalid("fieldManager", &name.into(), "should only contain printable characters");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_follow_upstreams_conversion() {
        let query = Query::parse(Some("watch=&a=false&b=true&c=0"));
        assert!(query.flag("watch") && query.flag("b"));
        assert!(!query.flag("a") && !query.flag("c") && !query.flag("none"));
    }

    #[test]
    fn an_unknown_validation_is_refused() {
        let error = WriteOptions::read(&Query::parse(Some("fieldValidation=No")), "CreateOptions").unwrap_err();
        assert_eq!(error.code(), 422);
    }
}
