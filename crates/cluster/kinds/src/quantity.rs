//! Quantities where kinds judge them. Texts have passed the schema, so they are canonical.

use eksile_apimachinery::schema::Quantity;
use eksile_kube::FieldErrors;
use serde_json::Value;

/// Billionths of one: the finest that quantities keep.
const NANO: i128 = 1_000_000_000;

/// A quantity in billionths, as long as it fits.
pub(crate) fn nanos(value: &Value) -> Option<i128> {
    let shown;
    let text = match value {
        Value::String(text) => text.as_str(),
        Value::Number(number) => {
            shown = number.to_string();
            &shown
        }
        _ => return None,
    };
    text.parse::<Quantity>().ok()?.nanos()
}

/// A quantity that is not below zero.
pub(crate) fn not_negative(value: &Value, field: &str, errors: &mut FieldErrors) {
    if nanos(value).is_some_and(|n| n < 0) {
        errors.invalid(field, value, "must be greater than or equal to 0");
    }
}

/// Whether a quantity is a whole number.
pub(crate) fn is_whole(value: &Value) -> bool {
    nanos(value).is_none_or(|n| n % NANO == 0)
}

/// The unit of a resource such as `hugepages-2Mi`, in billionths.
pub(crate) fn page_size(resource: &str) -> Option<i128> {
    nanos(&Value::from(resource.strip_prefix("hugepages-")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_compare_across_suffixes() {
        let n = |text: &str| nanos(&Value::from(text));
        assert_eq!(n("1"), n("1000m"));
        assert_eq!(n("1Gi"), n("1024Mi"));
        assert_eq!(n("1.5"), n("1500m"));
        assert_eq!(n("1e3"), n("1k"));
        assert!(n("-1") < n("0"));
        assert_eq!(n("x"), None);
        assert!(!is_whole(&Value::from("1500m")) && is_whole(&Value::from("2")));
    }
}
