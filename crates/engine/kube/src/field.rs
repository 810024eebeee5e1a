//! Validation errors of single fields, worded as `k8s.io/apimachinery/pkg/util/validation/field` words them.

use std::collections::HashSet;

use serde_json::Value;

use crate::status::Cause;

/// The kinds of field error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldErrorKind {
    /// A referenced thing does not exist.
    NotFound,
    /// The field is missing.
    Required,
    /// The value must be unique and is not.
    Duplicate,
    /// The value is malformed.
    Invalid,
    /// The value is not one of a closed set.
    NotSupported,
    /// The value may not be set here.
    Forbidden,
    /// The value is too long.
    TooLong,
    /// The list has too many items.
    TooMany,
    /// The server failed.
    Internal,
    /// The value has the wrong type.
    TypeInvalid,
}

impl FieldErrorKind {
    /// The words that begin the message.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::NotFound => "Not found",
            Self::Required => "Required value",
            Self::Duplicate => "Duplicate value",
            Self::Invalid | Self::TypeInvalid => "Invalid value",
            Self::NotSupported => "Unsupported value",
            Self::Forbidden => "Forbidden",
            Self::TooLong => "Too long",
            Self::TooMany => "Too many",
            Self::Internal => "Internal error",
        }
    }

    /// The `reason` of the cause in `status.details`.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::NotFound => "FieldValueNotFound",
            Self::Required => "FieldValueRequired",
            Self::Duplicate => "FieldValueDuplicate",
            Self::Invalid => "FieldValueInvalid",
            Self::NotSupported => "FieldValueNotSupported",
            Self::Forbidden => "FieldValueForbidden",
            Self::TooLong => "FieldValueTooLong",
            Self::TooMany => "FieldValueTooMany",
            Self::Internal => "InternalError",
            Self::TypeInvalid => "FieldValueTypeInvalid",
        }
    }
}

/// One field error.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldError {
    /// What is wrong.
    pub kind: FieldErrorKind,
    /// Path of the field, such as `spec.containers[0].name`; a map key is `data[key]`.
    pub field: String,
    /// What comes after the kind's words, quoted as upstream quotes it; `None` leaves it out.
    pub value: Option<String>,
    /// The rest of the message; may be empty.
    pub detail: String,
}

impl FieldError {
    /// The message without the field's path.
    #[must_use]
    pub fn body(&self) -> String {
        let mut text = self.kind.text().to_owned();
        if let Some(value) = &self.value {
            text.push_str(": ");
            text.push_str(value);
        }
        if !self.detail.is_empty() {
            text.push_str(": ");
            text.push_str(&self.detail);
        }
        text
    }

    /// The message with the field's path.
    #[must_use]
    pub fn message(&self) -> String {
        format!("{}: {}", self.field, self.body())
    }
}

/// A bad value as Go's `%v` (numbers, booleans), `%q` (strings) or JSON (the rest) writes it.
#[must_use]
pub fn show(value: &Value) -> String {
    match value {
        Value::String(text) => quote(text),
        other => other.to_string(),
    }
}

/// A string as Go's `%q` writes it.
#[must_use]
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\u{b}' => out.push_str("\\v"),
            c if (c as u32) < 0x20 || c as u32 == 0x7f => {
                out.push_str(&format!("\\x{:02x}", c as u32));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Errors of one object that are told one by one. Upstream has no bound; a request of 3 MB could ask for an answer of a
/// hundred.
const MOST_ERRORS: usize = 1000;
/// Bytes of text in all of them.
const MOST_TEXT: usize = 512 * 1024;
/// Longest quoted value, in bytes.
const LONGEST_VALUE: usize = 128 * 1024;

/// The field errors of one object, in the order in which they were found. Of very many only the first are kept
/// ([`FieldErrors::count`] counts all): the message says how many more there are.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FieldErrors {
    errors: Vec<FieldError>,
    /// Bytes of text of those kept.
    text: usize,
    /// How many were not kept.
    more: usize,
}

impl FieldErrors {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the object is valid so far.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.errors.is_empty()
    }

    /// All of them.
    #[must_use]
    pub fn as_slice(&self) -> &[FieldError] {
        &self.errors
    }

    /// How many there are, those included that are not kept.
    #[must_use]
    pub fn count(&self) -> usize {
        self.errors.len() + self.more
    }

    /// Adds one.
    pub fn push(&mut self, mut error: FieldError) {
        if self.is_full() {
            self.more += 1;
            return;
        }
        if let Some(value) = error.value.as_mut().filter(|value| value.len() > LONGEST_VALUE) {
            let cut = value.floor_char_boundary(LONGEST_VALUE);
            let left = value.len() - cut;
            value.truncate(cut);
            value.push_str(&format!("... ({left} bytes more)"));
        }
        self.text += error.field.len() + error.value.as_ref().map_or(0, String::len) + error.detail.len();
        self.errors.push(error);
    }

    fn is_full(&self) -> bool {
        self.errors.len() >= MOST_ERRORS || self.text >= MOST_TEXT
    }

    fn add(
        &mut self,
        kind: FieldErrorKind,
        field: impl Into<String>,
        value: Option<String>,
        detail: impl Into<String>,
    ) {
        self.push(FieldError { kind, field: field.into(), value, detail: detail.into() });
    }

    /// The value as errors show it; nothing of it where there is no more room.
    fn shown(&self, value: &Value) -> Option<String> {
        if self.is_full() { None } else { Some(show(value)) }
    }

    /// The field is missing.
    pub fn required(&mut self, field: impl Into<String>, detail: impl Into<String>) {
        self.add(FieldErrorKind::Required, field, None, detail);
    }

    /// The value is malformed.
    pub fn invalid(&mut self, field: impl Into<String>, value: &Value, detail: impl Into<String>) {
        let shown = self.shown(value);
        self.add(FieldErrorKind::Invalid, field, shown, detail);
    }

    /// The value is malformed; `shown` is written as it is (for Go structs and the like).
    pub fn invalid_verbatim(&mut self, field: impl Into<String>, shown: impl Into<String>, detail: impl Into<String>) {
        self.add(FieldErrorKind::Invalid, field, Some(shown.into()), detail);
    }

    /// The value has the wrong type.
    pub fn type_invalid(&mut self, field: impl Into<String>, value: &Value, detail: impl Into<String>) {
        let shown = self.shown(value);
        self.add(FieldErrorKind::TypeInvalid, field, shown, detail);
    }

    /// The value is not one of `supported` (listed in the order given).
    pub fn not_supported(&mut self, field: impl Into<String>, value: &Value, supported: &[&str]) {
        if self.is_full() {
            self.more += 1;
            return;
        }
        let list: Vec<String> = supported.iter().map(|s| quote(s)).collect();
        let detail = if list.is_empty() { String::new() } else { format!("supported values: {}", list.join(", ")) };
        let shown = self.shown(value);
        self.add(FieldErrorKind::NotSupported, field, shown, detail);
    }

    /// The value may not be set here.
    pub fn forbidden(&mut self, field: impl Into<String>, detail: impl Into<String>) {
        self.add(FieldErrorKind::Forbidden, field, None, detail);
    }

    /// The value must be unique.
    pub fn duplicate(&mut self, field: impl Into<String>, value: &Value) {
        let shown = self.shown(value);
        self.add(FieldErrorKind::Duplicate, field, shown, "");
    }

    /// A referenced thing does not exist.
    pub fn not_found(&mut self, field: impl Into<String>, value: &Value) {
        let shown = self.shown(value);
        self.add(FieldErrorKind::NotFound, field, shown, "");
    }

    /// The value is longer than `limit` bytes.
    pub fn too_long(&mut self, field: impl Into<String>, limit: usize) {
        self.add(FieldErrorKind::TooLong, field, None, format!("may not be more than {limit} bytes"));
    }

    /// The list has `count` items, more than `limit`.
    pub fn too_many(&mut self, field: impl Into<String>, count: usize, limit: usize) {
        let detail = format!("must have at most {limit} item{}", if limit == 1 { "" } else { "s" });
        self.add(FieldErrorKind::TooMany, field, Some(count.to_string()), detail);
    }

    /// The aggregate's message: one bare, several in brackets, repetitions once.
    #[must_use]
    pub fn message(&self) -> String {
        let mut seen = HashSet::with_capacity(self.errors.len());
        let mut told: Vec<String> = self.errors.iter().map(FieldError::message).collect();
        told.retain(|message| seen.insert(message.clone()));
        if self.more > 0 {
            told.push(format!("and {} more", self.more));
        }
        if told.len() == 1 { told.remove(0) } else { format!("[{}]", told.join(", ")) }
    }

    /// The causes for `status.details`.
    #[must_use]
    pub fn causes(&self) -> Vec<Cause> {
        self.errors
            .iter()
            .map(|e| Cause { reason: e.kind.reason().to_owned(), message: e.body(), field: e.field.clone() })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn words_are_upstreams() {
        let mut errors = FieldErrors::new();
        errors.required("metadata.name", "name or generateName is required");
        errors.invalid("spec.replicas", &json!(-1), "must be greater than or equal to 0");
        errors.not_supported("spec.restartPolicy", &json!("x"), &["Always", "Never"]);
        assert_eq!(
            errors.message(),
            "[metadata.name: Required value: name or generateName is required, spec.replicas: Invalid value: -1: must be greater than or \
             equal to 0, spec.restartPolicy: Unsupported value: \"x\": supported values: \"Always\", \"Never\"]"
        );
        assert_eq!(errors.causes()[2].reason, "FieldValueNotSupported");
    }

    #[test]
    fn a_refusal_is_bounded_however_much_is_wrong() {
        let mut errors = FieldErrors::new();
        let many: Vec<String> = (0..40).map(|n| format!("one-of-many-{n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        for index in 0..30_000 {
            errors.not_supported(format!("spec.usages[{index}]"), &json!("x"), &many);
        }
        errors.invalid("spec", &json!("y".repeat(3 << 20)), "too much");
        assert_eq!(errors.count(), 30_001);
        assert!(errors.message().len() < 2 * MOST_TEXT, "{}", errors.message().len());
        assert!(errors.message().ends_with("more]"));
        assert!(errors.causes().len() <= MOST_ERRORS);
        let mut one = FieldErrors::new();
        one.invalid("spec", &json!("y".repeat(3 << 20)), "too much");
        assert!(one.message().len() < 2 * LONGEST_VALUE && one.message().ends_with("bytes more): too much"));
    }

    #[test]
    fn quotes_as_go_does() {
        assert_eq!(quote("a\"b\n\u{1}"), "\"a\\\"b\\n\\x01\"");
    }
}
