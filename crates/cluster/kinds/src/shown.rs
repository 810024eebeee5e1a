//! Values as Go writes them, where messages carry them.

use serde_json::Value;

/// A list of strings.
pub(crate) fn strings(list: &[Value]) -> String {
    let quoted: Vec<String> = list.iter().map(eksile_kube::field::show).collect();
    format!("[]string{{{}}}", quoted.join(", "))
}
