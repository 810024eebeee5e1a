//! Secret: types and what they must hold, write-only `stringData`, immutability.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use eksile_kube::strategy::{Context, Strategy};
use eksile_kube::{Column, FieldErrors};
use jiff::Timestamp;
use serde_json::Value;

use crate::columns::{self, AGE, NAME, shown};
use crate::configmap::{LARGEST, data_key, decoded_length, immutable};
use crate::tree::{at, entries, map, or_set, text};

/// The strategy.
pub(crate) struct Secret;

const COLUMNS: &[Column] = &[NAME, shown("Type", "The type."), shown("Data", "The number of entries."), AGE];
const SERVICE_ACCOUNT_NAME: &str = "kubernetes.io/service-account.name";

impl Strategy for Secret {
    fn defaults(&self, object: &mut Value) {
        let Some(fields) = object.as_object_mut() else { return };
        or_set(fields, "type", "Opaque");
        let Some(Value::Object(plain)) = fields.remove("stringData") else { return };
        if plain.is_empty() {
            return;
        }
        let Some(data) = map(object, "data") else { return };
        for (key, value) in plain {
            data.insert(key, STANDARD.encode(value.as_str().unwrap_or_default()).into());
        }
    }

    fn prepare_update(&self, new: &mut Value, old: &Value, _context: &Context<'_>) {
        // An update that leaves the type out keeps it; the default has filled it in by now.
        if text(new, "/type").is_empty()
            && let Some(fields) = new.as_object_mut()
        {
            fields.insert("type".into(), at(old, "/type").clone());
        }
    }

    fn validate(&self, object: &Value, _context: &Context<'_>, errors: &mut FieldErrors) {
        let mut size = 0;
        for (key, value) in entries(object, "/data") {
            data_key(key, &format!("data[{key}]"), errors);
            size += value.as_str().map_or(0, decoded_length);
        }
        if size > LARGEST {
            errors.too_long("data", LARGEST);
        }
        by_type(object, errors);
    }

    fn validate_update(&self, new: &Value, old: &Value, _context: &Context<'_>, errors: &mut FieldErrors) {
        if at(new, "/type") != at(old, "/type") {
            errors.invalid("type", at(new, "/type"), "field is immutable");
        }
        immutable(new, old, &["data"], errors);
    }

    fn warnings(&self, new: &Value, _old: Option<&Value>) -> Vec<String> {
        if text(new, "/type") != "kubernetes.io/tls" {
            return Vec::new();
        }
        // Upstream tries to load the pair; what is no PEM at all is told in these words.
        let certificate = STANDARD.decode(text(new, "/data/tls.crt")).unwrap_or_default();
        let found = String::from_utf8_lossy(&certificate).contains("-----BEGIN ");
        if found { Vec::new() } else { vec!["tls: failed to find any PEM data in certificate input".to_owned()] }
    }

    fn selectable(&self) -> &'static [&'static str] {
        &["type"]
    }

    fn field<'a>(&self, object: &'a Value, _name: &str) -> Cow<'a, str> {
        text(object, "/type").into()
    }

    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }

    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        let count = entries(object, "/data").count();
        vec![columns::name(object), text(object, "/type").into(), count.into(), columns::age(object, now)]
    }
}

/// What each well-known type must hold.
fn by_type(object: &Value, errors: &mut FieldErrors) {
    let data = at(object, "/data");
    let has = |key: &str| data.get(key).is_some();
    match text(object, "/type") {
        "kubernetes.io/service-account-token" => {
            let annotations = at(object, "/metadata/annotations");
            if annotations.get(SERVICE_ACCOUNT_NAME).and_then(Value::as_str).unwrap_or_default().is_empty() {
                errors.required(format!("metadata.annotations[{SERVICE_ACCOUNT_NAME}]"), "");
            }
        }
        "kubernetes.io/dockercfg" => registry_logins(data, ".dockercfg", errors),
        "kubernetes.io/dockerconfigjson" => registry_logins(data, ".dockerconfigjson", errors),
        "kubernetes.io/basic-auth" if !has("username") && !has("password") => {
            errors.required("data[username]", "");
            errors.required("data[password]", "");
        }
        "kubernetes.io/ssh-auth" => {
            let key = data.get("ssh-privatekey").and_then(Value::as_str).unwrap_or_default();
            if key.is_empty() {
                errors.required("data[ssh-privatekey]", "");
            }
        }
        "kubernetes.io/tls" => {
            for key in ["tls.crt", "tls.key"] {
                if !has(key) {
                    errors.required(format!("data[{key}]"), "");
                }
            }
        }
        _ => {}
    }
}

fn registry_logins(data: &Value, key: &str, errors: &mut FieldErrors) {
    let field = format!("data[{key}]");
    let Some(text) = data.get(key).and_then(Value::as_str) else {
        errors.required(field, "");
        return;
    };
    let bytes = STANDARD.decode(text).unwrap_or_default();
    if let Err(error) = serde_json::from_slice::<serde_json::Map<String, Value>>(&bytes) {
        errors.invalid(field, &Value::from("<secret contents redacted>"), go_words(&bytes, &error));
    }
}

/// The words of Go's JSON decoder for the common case of a text that does not begin a value.
fn go_words(bytes: &[u8], error: &serde_json::Error) -> String {
    match bytes.first().map(|b| *b as char) {
        None => "unexpected end of JSON input".to_owned(),
        // Go reads a literal to its first wrong letter.
        Some('n') if !bytes.starts_with(b"null") => literal(bytes, "null"),
        Some('t') if !bytes.starts_with(b"true") => literal(bytes, "true"),
        Some('f') if !bytes.starts_with(b"false") => literal(bytes, "false"),
        Some(c) if !"{[\"0123456789-ntf \n\t".contains(c) => {
            format!("invalid character '{c}' looking for beginning of value")
        }
        _ => error.to_string(),
    }
}

fn literal(bytes: &[u8], word: &str) -> String {
    let wrong = bytes.iter().zip(word.bytes()).position(|(a, b)| *a != b);
    match wrong {
        Some(at) => format!(
            "invalid character '{}' in literal {word} (expecting '{}')",
            bytes[at] as char,
            word.as_bytes()[at] as char
        ),
        None => "unexpected end of JSON input".to_owned(),
    }
}
