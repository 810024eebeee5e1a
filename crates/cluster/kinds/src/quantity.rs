//! Quantities where kinds judge them.

use eksile_kube::FieldErrors;
use eksile_kube::schema::Quantity;
use serde_json::Value;

/// The quantity of a JSON value that has passed the schema.
pub(crate) fn read(value: &Value) -> Option<Quantity> {
    match value {
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => number.to_string().parse().ok(),
        _ => None,
    }
}

/// A quantity that is not below zero.
pub(crate) fn not_negative(value: &Value, field: &str, errors: &mut FieldErrors) {
    if value.as_str().is_some_and(|text| text.starts_with('-')) {
        errors.invalid(field, value, "must be greater than or equal to 0");
    }
}
