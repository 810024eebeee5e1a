//! Whether a pod wants this node: `nodeSelector` and required node affinity (API reference, `NodeSelectorTerm`).

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, Pod};

use crate::pod::verdict::Verdict;

fn required(pod: &Pod) -> Option<&NodeSelector> {
    let affinity = pod.spec.as_ref()?.affinity.as_ref()?.node_affinity.as_ref()?;
    affinity.required_during_scheduling_ignored_during_execution.as_ref()
}

pub(super) fn asks(pod: &Pod) -> bool {
    let selector = pod.spec.as_ref().and_then(|spec| spec.node_selector.as_ref());
    selector.is_some_and(|selector| !selector.is_empty()) || required(pod).is_some()
}

/// Turns a pod away that wants another node.
pub(super) fn check(pod: &Pod, name: &str, labels: &BTreeMap<String, String>) -> Result<(), Verdict> {
    let mut selector = pod.spec.iter().filter_map(|spec| spec.node_selector.as_ref()).flatten();
    let selected = selector.all(|(key, value)| labels.get(key) == Some(value));
    let wanted = required(pod).is_none_or(|one| one.node_selector_terms.iter().any(|term| holds(term, name, labels)));
    if selected && wanted {
        return Ok(());
    }
    let text = "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector";
    Err(Verdict::rejected("NodeAffinity", text))
}

/// A term without anything matches nothing.
fn holds(term: &NodeSelectorTerm, name: &str, labels: &BTreeMap<String, String>) -> bool {
    let expressions = term.match_expressions.as_deref().unwrap_or_default();
    let fields = term.match_fields.as_deref().unwrap_or_default();
    let by_label = expressions.iter().all(|one| meets(one, labels.get(&one.key).map(String::as_str)));
    let by_field = fields.iter().all(|one| meets(one, (one.key == "metadata.name").then_some(name)));
    (!expressions.is_empty() || !fields.is_empty()) && by_label && by_field
}

fn meets(asked: &NodeSelectorRequirement, value: Option<&str>) -> bool {
    let values = asked.values.as_deref().unwrap_or_default();
    let listed = value.is_some_and(|value| values.iter().any(|one| one == value));
    let number = |text: Option<&str>| text.and_then(|text| text.parse::<i64>().ok());
    let pair = number(value).zip(number(values.first().map(String::as_str)));
    match asked.operator.as_str() {
        "In" => listed,
        "NotIn" => !listed,
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        "Gt" => pair.is_some_and(|(value, bound)| value > bound),
        "Lt" => pair.is_some_and(|(value, bound)| value < bound),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn pod(spec: &Value) -> Pod {
        serde_json::from_value(json!({"metadata": {}, "spec": spec})).unwrap()
    }

    #[test]
    fn a_pod_that_wants_another_node_is_turned_away() {
        let labels = BTreeMap::from([("disk".to_owned(), "ssd".to_owned()), ("cores".to_owned(), "8".to_owned())]);
        let term = |kind: &str, key: &str, operator: &str, values: &[&str]| {
            let term = json!({kind: [{"key": key, "operator": operator, "values": values}]});
            json!({"containers": [], "affinity": {"nodeAffinity":
                {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}}})
        };
        let labels_only = |operator, values| term("matchExpressions", "disk", operator, values);
        for (spec, fits) in [
            (json!({"containers": []}), true),
            (json!({"containers": [], "nodeSelector": {"disk": "ssd"}}), true),
            (json!({"containers": [], "nodeSelector": {"disk": "hdd"}}), false),
            (labels_only("In", &["ssd", "x"]), true),
            (labels_only("NotIn", &["ssd"]), false),
            (labels_only("Exists", &[]), true),
            (labels_only("DoesNotExist", &[]), false),
            (term("matchExpressions", "cores", "Gt", &["4"]), true),
            (term("matchExpressions", "cores", "Lt", &["4"]), false),
            (term("matchFields", "metadata.name", "In", &["n1"]), true),
            (term("matchFields", "metadata.name", "In", &["n2"]), false),
        ] {
            assert_eq!(check(&pod(&spec), "n1", &labels).is_ok(), fits, "{spec}");
        }
    }
}
