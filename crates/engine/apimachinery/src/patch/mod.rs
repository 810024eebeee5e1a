//! The patches that are not apply: JSON patch, JSON merge patch, strategic merge patch.
//!
//! Each takes the live object and the body of the request and gives the new object, decoded again by its schema, or
//! the answer that upstream would give. Semantics follow `evanphx/json-patch` v4 and
//! `k8s.io/apimachinery/pkg/util/strategicpatch`, the libraries behind upstream's server.

mod check;
mod go;
mod json;
mod merge;
mod order;
mod strategic;

#[cfg(test)]
mod tests;

use serde_json::Value;

pub(crate) use go::{format as go_format, type_name as go_type_name};

use crate::schema::{DecodeError, Schema, Untyped};

/// Operations that one JSON patch may have.
pub const MAX_OPERATIONS: usize = 10_000;

/// Bytes that the copies of one JSON patch may add (upstream's `JSONPatchMaxCopyBytes`).
pub const MAX_COPIED: usize = 3 * 1024 * 1024;

/// A patched object.
#[derive(Debug)]
pub struct Patched {
    /// The object, as [`Schema::decode`] gives it. Defaults are not filled in.
    pub value: Value,
    /// What a strict reader has against patch and result.
    pub strict: Vec<String>,
    /// What to show when `strict` refuses.
    shown: Option<String>,
}

impl Patched {
    /// What `value` becomes when a patch made it one of `schema`, whatever kind was patched.
    ///
    /// # Errors
    /// [`PatchError::Invalid`] when it is none.
    pub fn of(schema: &Schema, value: &Value) -> Result<Self, PatchError> {
        decode_as(schema, value, Vec::new())
    }

    /// Nothing of `value`, with what a strict reader has against it.
    #[must_use]
    pub fn nothing(value: &Value, strict: Vec<String>) -> Self {
        Self { value: Value::Object(serde_json::Map::new()), strict, shown: Some(value.to_string()) }
    }

    /// The same with its object made another.
    #[must_use]
    pub fn map(mut self, change: impl FnOnce(&mut Value)) -> Self {
        change(&mut self.value);
        self
    }

    /// The refusal of a strict reader, if it has anything to say.
    #[must_use]
    pub fn strict_error(&self) -> Option<PatchError> {
        let shown = self.shown.clone()?;
        let detail = format!("strict decoding error: {}", self.strict.join(", "));
        Some(PatchError::Invalid { shown, detail })
    }
}

/// Why a patch was not applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatchError {
    /// 400: the patch itself is not well formed.
    #[error("{0}")]
    Bad(String),
    /// 413: too many operations.
    #[error("{0}")]
    TooLarge(String),
    /// 422 in the form of upstream's generic server response: the patch does not apply.
    #[error("{0}")]
    Unprocessable(String),
    /// 422, field `patch` invalid: the result is not an object of the kind. `shown` is the value to quote.
    #[error("patch: Invalid value: {shown:?}: {detail}")]
    Invalid {
        /// The patched object, or the patch.
        shown: String,
        /// What is wrong.
        detail: String,
    },
    /// The result claims to be another kind, or another version of the kind.
    #[error("the patched object is of another kind")]
    OtherKind(Box<Value>),
    /// 500: upstream does not expect this.
    #[error("{0}")]
    Internal(String),
}

/// Applies a JSON patch (RFC 6902).
///
/// # Errors
/// See [`PatchError`].
pub fn json(schema: &Schema, live: &Value, body: &[u8]) -> Result<Patched, PatchError> {
    let (operations, strict) = json::parse(body)?;
    let mut value = live.clone();
    json::apply(&mut value, operations).map_err(PatchError::Unprocessable)?;
    decode(schema, &value, strict)
}

/// Applies a JSON merge patch (RFC 7386).
///
/// # Errors
/// See [`PatchError`].
pub fn merge(schema: &Schema, live: &Value, body: &[u8]) -> Result<Patched, PatchError> {
    let (patch, strict) =
        Untyped::parse_object(body).map_err(|e| PatchError::Bad(format!("error decoding patch: {e}")))?;
    let mut value = live.clone();
    merge::merge(&mut value, Value::Object(patch));
    decode(schema, &value, strict)
}

/// Applies a strategic merge patch.
///
/// # Errors
/// See [`PatchError`].
pub fn strategic(schema: &Schema, live: &Value, body: &[u8]) -> Result<Patched, PatchError> {
    let (patch, mut strict) = Untyped::parse_object(body).map_err(PatchError::Bad)?;
    let shown = Value::Object(patch.clone());
    let fields = live.as_object().cloned().unwrap_or_default();
    let mut value = Value::Object(strategic::merge(schema, fields, patch)?);
    // Upstream merges into the type: what kind it is, no patch of this sort can say.
    for name in ["apiVersion", "kind"] {
        if let Some(own) = live.get(name) {
            value[name] = own.clone();
        }
    }
    let invalid = |detail| PatchError::Invalid { shown: go::format(&shown), detail };
    let mut unknown = check::check(schema, &value).map_err(invalid)?;
    unknown.sort();
    strict.append(&mut unknown);
    let decoded = schema.decode(&encode(&value)?).map_err(|e| invalid(e.to_string()))?;
    let shown = if strict.is_empty() { None } else { Some(go::format(&shown)) };
    Ok(Patched { value: decoded.value, strict, shown })
}

fn decode(schema: &Schema, value: &Value, strict: Vec<String>) -> Result<Patched, PatchError> {
    let claim = |name: &str| match value.get(name) {
        None | Some(Value::Null) => Some(""),
        // What is no text fails to decode.
        Some(other) => other.as_str(),
    };
    if let (Some(version), Some(kind)) = (claim("apiVersion"), claim("kind")) {
        let kinds = &schema.root().kinds;
        if !kinds.iter().any(|(v, k)| **v == *version && (kind.is_empty() || **k == *kind)) {
            return Err(PatchError::OtherKind(Box::new(value.clone())));
        }
    }
    decode_as(schema, value, strict)
}

fn decode_as(schema: &Schema, value: &Value, mut strict: Vec<String>) -> Result<Patched, PatchError> {
    let body = encode(value)?;
    let show = || String::from_utf8_lossy(&body).into_owned();
    let mut decoded = schema.decode(&body).map_err(|error| match error {
        DecodeError::Interpret(_) | DecodeError::Type(_) => {
            PatchError::Invalid { shown: show(), detail: error.to_string() }
        }
    })?;
    strict.append(&mut decoded.strict);
    let shown = if strict.is_empty() { None } else { Some(show()) };
    Ok(Patched { value: decoded.value, strict, shown })
}

fn encode(value: &Value) -> Result<Vec<u8>, PatchError> {
    serde_json::to_vec(value).map_err(|e| PatchError::Internal(e.to_string()))
}
