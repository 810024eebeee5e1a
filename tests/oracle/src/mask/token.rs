//! Tokens are opened, so that their claims are compared.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// Header and claims of a JSON web token; `None` when the text is not one.
pub(super) fn claims(text: &str) -> Option<Value> {
    let mut parts = text.split('.');
    let (header, claims, signature) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || signature.is_empty() || !header.starts_with("eyJ") {
        return None;
    }
    let open = |part: &str| -> Option<Value> { serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok() };
    Some(json!({"header": open(header)?, "claims": open(claims)?}))
}
