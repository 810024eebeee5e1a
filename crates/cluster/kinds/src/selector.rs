//! Label selectors inside objects.

use eksile_kube::FieldErrors;
use serde_json::Value;

use crate::names::{labels, qualified};
use crate::tree::{items, text};

/// Checks a `metav1.LabelSelector`.
pub(crate) fn label_selector(selector: &Value, path: &str, errors: &mut FieldErrors) {
    labels(selector, "/matchLabels", &format!("{path}.matchLabels"), errors);
    for (index, term) in items(selector, "/matchExpressions").iter().enumerate() {
        let path = format!("{path}.matchExpressions[{index}]");
        let none = items(term, "/values").is_empty();
        match text(term, "/operator") {
            "In" | "NotIn" if none => {
                errors.required(format!("{path}.values"), "must be specified when `operator` is 'In' or 'NotIn'");
            }
            "Exists" | "DoesNotExist" if !none => {
                errors.forbidden(
                    format!("{path}.values"),
                    "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
                );
            }
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            other => errors.invalid(format!("{path}.operator"), &other.into(), "not a valid selector operator"),
        }
        qualified(text(term, "/key"), &format!("{path}.key"), errors);
        for (at, value) in items(term, "/values").iter().enumerate() {
            let text = value.as_str().unwrap_or_default();
            for problem in eksile_kube::names::label_value(text) {
                errors.invalid(format!("{path}.values[{at}]"), value, problem);
            }
        }
    }
}
