//! ConfigMap: keys, immutability.

use std::cmp::Ordering;

use eksile_kube::strategy::{Context, Strategy};
use eksile_kube::{Column, FieldErrors};
use jiff::Timestamp;
use serde_json::Value;

use crate::columns::{self, AGE, NAME, shown};
use crate::tree::{at, entries, truth};

/// Bytes that a ConfigMap or Secret may hold.
pub(crate) const LARGEST: usize = 1024 * 1024;

/// The strategy.
pub(crate) struct ConfigMap;

const COLUMNS: &[Column] = &[NAME, shown("Data", "The number of entries."), AGE];

impl Strategy for ConfigMap {
    fn validate(&self, object: &Value, _context: &Context<'_>, errors: &mut FieldErrors) {
        let mut size = 0;
        for (key, value) in entries(object, "/data") {
            data_key(key, &format!("data[{key}]"), errors);
            if at(object, "/binaryData").get(key).is_some() {
                errors.invalid(
                    format!("data[{key}]"),
                    &Value::from(key.as_str()),
                    "duplicate of key present in binaryData",
                );
            }
            size += value.as_str().map_or(0, str::len);
        }
        for (key, value) in entries(object, "/binaryData") {
            data_key(key, &format!("binaryData[{key}]"), errors);
            size += value.as_str().map_or(0, decoded_length);
        }
        if size > LARGEST {
            errors.too_long("[]", LARGEST);
        }
    }

    fn validate_update(&self, new: &Value, old: &Value, _context: &Context<'_>, errors: &mut FieldErrors) {
        immutable(new, old, &["data", "binaryData"], errors);
    }

    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }

    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        let count = entries(object, "/data").count() + entries(object, "/binaryData").count();
        vec![columns::name(object), count.into(), columns::age(object, now)]
    }
}

/// Bytes that a base64 text decodes to.
pub(crate) fn decoded_length(text: &str) -> usize {
    text.len() / 4 * 3 - text.bytes().rev().take_while(|b| *b == b'=').count().min(2)
}

/// Checks a key of a ConfigMap or a Secret.
pub(crate) fn data_key(key: &str, field: &str, errors: &mut FieldErrors) {
    let value = Value::from(key);
    if key.len() > 253 {
        errors.invalid(field, &value, "must be no more than 253 characters");
    }
    if key.is_empty() || !key.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b)) {
        errors.invalid(
            field,
            &value,
            "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', \
             regex used for validation is '[-._a-zA-Z0-9]+')",
        );
    }
    match (key, key.len().cmp(&2)) {
        (".", _) => errors.invalid(field, &value, "must not be '.'"),
        ("..", _) => errors.invalid(field, &value, "must not be '..'"),
        (_, Ordering::Greater) if key.starts_with("..") => errors.invalid(field, &value, "must not start with '..'"),
        _ => {}
    }
}

/// Checks that what is immutable stays: the mark, and the fields under it.
pub(crate) fn immutable(new: &Value, old: &Value, fields: &[&str], errors: &mut FieldErrors) {
    if !truth(old, "/immutable") {
        return;
    }
    if !truth(new, "/immutable") {
        errors.forbidden("immutable", "field is immutable when `immutable` is set");
    }
    for field in fields {
        let filled = |v: &Value| v.get(*field).filter(|v| v.as_object().is_some_and(|m| !m.is_empty())).cloned();
        if filled(new) != filled(old) {
            errors.forbidden(*field, "field is immutable when `immutable` is set");
        }
    }
}
