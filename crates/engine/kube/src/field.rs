//! Validation errors of single fields, worded as `k8s.io/apimachinery/pkg/util/validation/field` words them.

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

/// The field errors of one object, in the order in which they were found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FieldErrors {
    errors: Vec<FieldError>,
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

    /// Adds one.
    pub fn push(&mut self, error: FieldError) {
        self.errors.push(error);
    }

    fn add(
        &mut self,
        kind: FieldErrorKind,
        field: impl Into<String>,
        value: Option<String>,
        detail: impl Into<String>,
    ) {
        self.errors.push(FieldError { kind, field: field.into(), value, detail: detail.into() });
    }

    /// The field is missing.
    pub fn required(&mut self, field: impl Into<String>, detail: impl Into<String>) {
        self.add(FieldErrorKind::Required, field, None, detail);
    }

    /// The value is malformed.
    pub fn invalid(&mut self, field: impl Into<String>, value: &Value, detail: impl Into<String>) {
        self.add(FieldErrorKind::Invalid, field, Some(show(value)), detail);
    }

    /// The value is malformed; `shown` is written as it is (for Go structs and the like).
    pub fn invalid_verbatim(&mut self, field: impl Into<String>, shown: impl Into<String>, detail: impl Into<String>) {
        self.add(FieldErrorKind::Invalid, field, Some(shown.into()), detail);
    }

    /// The value has the wrong type.
    pub fn type_invalid(&mut self, field: impl Into<String>, value: &Value, detail: impl Into<String>) {
        self.add(FieldErrorKind::TypeInvalid, field, Some(show(value)), detail);
    }

    /// The value is not one of `supported` (listed in the order given).
    pub fn not_supported(&mut self, field: impl Into<String>, value: &Value, supported: &[&str]) {
        let list: Vec<String> = supported.iter().map(|s| quote(s)).collect();
        let detail = if list.is_empty() { String::new() } else { format!("supported values: {}", list.join(", ")) };
        self.add(FieldErrorKind::NotSupported, field, Some(show(value)), detail);
    }

    /// The value may not be set here.
    pub fn forbidden(&mut self, field: impl Into<String>, detail: impl Into<String>) {
        self.add(FieldErrorKind::Forbidden, field, None, detail);
    }

    /// The value must be unique.
    pub fn duplicate(&mut self, field: impl Into<String>, value: &Value) {
        self.add(FieldErrorKind::Duplicate, field, Some(show(value)), "");
    }

    /// A referenced thing does not exist.
    pub fn not_found(&mut self, field: impl Into<String>, value: &Value) {
        self.add(FieldErrorKind::NotFound, field, Some(show(value)), "");
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
        let mut seen: Vec<String> = Vec::with_capacity(self.errors.len());
        for error in &self.errors {
            let message = error.message();
            if !seen.contains(&message) {
                seen.push(message);
            }
        }
        if seen.len() == 1 { seen.remove(0) } else { format!("[{}]", seen.join(", ")) }
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
    fn quotes_as_go_does() {
        assert_eq!(quote("a\"b\n\u{1}"), "\"a\\\"b\\n\\x01\"");
    }
}
