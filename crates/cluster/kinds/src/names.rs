//! The rules for names, put to fields.

use eksile_kube::{FieldErrors, names};
use serde_json::Value;

use crate::tree::entries;

fn told(problems: Vec<String>, value: &str, field: &str, errors: &mut FieldErrors) {
    for problem in problems {
        errors.invalid(field, &Value::from(value), problem);
    }
}

/// A label key or another qualified name.
pub(crate) fn qualified(name: &str, field: &str, errors: &mut FieldErrors) {
    told(names::qualified_name(name), name, field, errors);
}

/// An RFC 1123 label.
pub(crate) fn label(name: &str, field: &str, errors: &mut FieldErrors) {
    told(names::label(name), name, field, errors);
}

/// An RFC 1123 subdomain.
pub(crate) fn subdomain(name: &str, field: &str, errors: &mut FieldErrors) {
    told(names::subdomain(name), name, field, errors);
}

/// A map of labels, such as a selector.
pub(crate) fn labels(object: &Value, path: &str, field: &str, errors: &mut FieldErrors) {
    for (key, value) in entries(object, path) {
        qualified(key, field, errors);
        let value = value.as_str().unwrap_or_default();
        told(names::label_value(value), value, field, errors);
    }
}

/// The name of a port: at most 15 characters, a letter among them.
pub(crate) fn port_name(name: &str) -> Vec<&'static str> {
    let mut problems = Vec::new();
    if name.len() > 15 {
        problems.push("must be no more than 15 characters");
    }
    if !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') || name.is_empty() {
        problems.push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
    }
    if !name.bytes().any(|b| b.is_ascii_lowercase()) {
        problems.push("must contain at least one letter (a-z)");
    }
    if name.contains("--") {
        problems.push("must not contain consecutive hyphens");
    }
    if name.starts_with('-') || name.ends_with('-') {
        problems.push("must not begin or end with a hyphen");
    }
    problems
}

/// A port by number or by name.
pub(crate) fn port(value: &Value, field: &str, errors: &mut FieldErrors) {
    match value {
        Value::String(name) => {
            for problem in port_name(name) {
                errors.invalid(field, value, problem);
            }
        }
        other => port_number(other.as_i64().unwrap_or_default(), field, errors),
    }
}

/// A port's number.
pub(crate) fn port_number(number: i64, field: &str, errors: &mut FieldErrors) {
    between(number, 1, 65_535, field, errors);
}

/// A number within bounds, both included.
pub(crate) fn between(number: i64, low: i64, high: i64, field: &str, errors: &mut FieldErrors) {
    if !(low..=high).contains(&number) {
        errors.invalid(field, &number.into(), format!("must be between {low} and {high}, inclusive"));
    }
}

/// A number that is not below zero.
pub(crate) fn not_negative(number: i64, field: &str, errors: &mut FieldErrors) {
    if number < 0 {
        errors.invalid(field, &number.into(), "must be greater than or equal to 0");
    }
}

/// An IP address.
pub(crate) fn address(text: &str, field: &str, errors: &mut FieldErrors) {
    if text.parse::<std::net::IpAddr>().is_err() {
        errors.invalid(field, &text.into(), "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)");
    }
}

/// A value out of a closed set, listed as given.
pub(crate) fn one_of(value: &str, set: &[&str], field: &str, errors: &mut FieldErrors) {
    if !set.contains(&value) {
        errors.not_supported(field, &value.into(), set);
    }
}
