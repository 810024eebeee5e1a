//! Where a pod may run.

use std::collections::{HashMap, HashSet};

use eksile_kube::FieldErrors;
use serde_json::Value;

use crate::names::{label, one_of, qualified};
use crate::selector::label_selector;
use crate::tree::{at, items, number, text};

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";
const EFFECTS: &[&str] = &["NoSchedule", "PreferNoSchedule", "NoExecute"];

/// Checks affinity to nodes and pods.
pub(super) fn affinity(pod: &Value, errors: &mut FieldErrors) {
    let path = "spec.affinity";
    let affinity = at(pod, "/spec/affinity");
    if at(affinity, "/nodeAffinity").is_object() {
        node_affinity(at(affinity, "/nodeAffinity"), &format!("{path}.nodeAffinity"), errors);
    }
    for kind in ["podAffinity", "podAntiAffinity"] {
        let one = at(affinity, &format!("/{kind}"));
        for (index, term) in items(one, &format!("/{REQUIRED}")).iter().enumerate() {
            pod_term(term, &format!("{path}.{kind}.{REQUIRED}[{index}]"), errors);
        }
        for (index, term) in items(one, &format!("/{PREFERRED}")).iter().enumerate() {
            let path = format!("{path}.{kind}.{PREFERRED}[{index}]");
            weight(term, &path, errors);
            pod_term(at(term, "/podAffinityTerm"), &format!("{path}.podAffinityTerm"), errors);
        }
    }
}

fn weight(term: &Value, path: &str, errors: &mut FieldErrors) {
    let weight = number(term, "/weight").unwrap_or_default();
    if !(1..=100).contains(&weight) {
        errors.invalid(format!("{path}.weight"), &weight.into(), "must be in the range 1-100");
    }
}

fn node_affinity(affinity: &Value, path: &str, errors: &mut FieldErrors) {
    let required = at(affinity, &format!("/{REQUIRED}"));
    if required.is_object() {
        let path = format!("{path}.{REQUIRED}.nodeSelectorTerms");
        let terms = items(required, "/nodeSelectorTerms");
        if terms.is_empty() {
            errors.required(path.clone(), "must have at least one node selector term");
        }
        for (index, term) in terms.iter().enumerate() {
            node_term(term, &format!("{path}[{index}]"), errors);
        }
    }
    for (index, term) in items(affinity, &format!("/{PREFERRED}")).iter().enumerate() {
        let path = format!("{path}.{PREFERRED}[{index}]");
        weight(term, &path, errors);
        node_term(at(term, "/preference"), &format!("{path}.preference"), errors);
    }
}

fn node_term(term: &Value, path: &str, errors: &mut FieldErrors) {
    for (index, expression) in items(term, "/matchExpressions").iter().enumerate() {
        let path = format!("{path}.matchExpressions[{index}]");
        let count = items(expression, "/values").len();
        match text(expression, "/operator") {
            "In" | "NotIn" if count == 0 => {
                errors.required(format!("{path}.values"), "must be specified when `operator` is 'In' or 'NotIn'");
            }
            "Exists" | "DoesNotExist" if count > 0 => {
                let why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
                errors.forbidden(format!("{path}.values"), why);
            }
            "Gt" | "Lt" if count != 1 => {
                let why = "must be specified single value when `operator` is 'Lt' or 'Gt'";
                errors.required(format!("{path}.values"), why);
            }
            "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt" => {}
            other => errors.invalid(format!("{path}.operator"), &other.into(), "not a valid selector operator"),
        }
        qualified(text(expression, "/key"), &format!("{path}.key"), errors);
    }
    for (index, field) in items(term, "/matchFields").iter().enumerate() {
        let path = format!("{path}.matchFields[{index}]");
        let (operator, key) = (text(field, "/operator"), text(field, "/key"));
        if !matches!(operator, "In" | "NotIn") {
            errors.invalid(format!("{path}.operator"), &operator.into(), "not a valid selector operator");
        } else if items(field, "/values").len() != 1 {
            let why = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector";
            errors.required(format!("{path}.values"), why);
        }
        if key != "metadata.name" {
            errors.invalid(format!("{path}.key"), &key.into(), "not a valid field selector key");
        }
    }
}

fn pod_term(term: &Value, path: &str, errors: &mut FieldErrors) {
    for selector in ["labelSelector", "namespaceSelector"] {
        let own = at(term, &format!("/{selector}"));
        if own.is_object() {
            label_selector(own, &format!("{path}.{selector}"), errors);
        }
    }
    for namespace in items(term, "/namespaces") {
        label(namespace.as_str().unwrap_or_default(), &format!("{path}.namespace"), errors);
    }
    let key = text(term, "/topologyKey");
    if key.is_empty() {
        errors.required(format!("{path}.topologyKey"), "can not be empty");
    }
    qualified(key, &format!("{path}.topologyKey"), errors);
}

/// Checks the gates that hold a pod back.
pub(super) fn gates(pod: &Value, errors: &mut FieldErrors) {
    let gates = items(pod, "/spec/schedulingGates");
    let mut seen: HashSet<&Value> = HashSet::with_capacity(gates.len());
    for (index, gate) in gates.iter().enumerate() {
        let path = format!("spec.schedulingGates[{index}]");
        let name = text(gate, "/name");
        qualified(name, &path, errors);
        if !seen.insert(gate) {
            errors.duplicate(path, &name.into());
        }
    }
}

/// Checks how pods are to spread.
pub(super) fn spread(pod: &Value, errors: &mut FieldErrors) {
    let all = items(pod, "/spec/topologySpreadConstraints");
    let pair = |one: &Value| (text(one, "/topologyKey").to_owned(), text(one, "/whenUnsatisfiable").to_owned());
    let mut left: HashMap<(String, String), usize> = HashMap::new();
    for one in all {
        *left.entry(pair(one)).or_default() += 1;
    }
    for (index, one) in all.iter().enumerate() {
        let path = format!("spec.topologySpreadConstraints[{index}]");
        let skew = number(one, "/maxSkew").unwrap_or_default();
        if skew <= 0 {
            errors.invalid(format!("{path}.maxSkew"), &skew.into(), "must be greater than zero");
        }
        let (key, when) = (text(one, "/topologyKey"), text(one, "/whenUnsatisfiable"));
        if key.is_empty() {
            errors.required(format!("{path}.topologyKey"), "can not be empty");
        }
        one_of(when, &["DoNotSchedule", "ScheduleAnyway"], &format!("{path}.whenUnsatisfiable"), errors);
        // Told of all but the last of those that are alike.
        let alike = left.entry(pair(one)).or_default();
        *alike = alike.saturating_sub(1);
        if *alike > 0 {
            let shown = Value::from(format!("{{{key}, {when}}}"));
            errors.duplicate(format!("{path}.{{topologyKey, whenUnsatisfiable}}"), &shown);
        }
        if let Some(domains) = number(one, "/minDomains") {
            if domains <= 0 {
                errors.invalid(format!("{path}.minDomains"), &domains.into(), "must be greater than 0");
            }
            if when != "DoNotSchedule" {
                let why = "can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ".to_owned() + when;
                errors.invalid(format!("{path}.minDomains"), &domains.into(), why);
            }
        }
        let selector = at(one, "/labelSelector");
        if selector.is_object() {
            label_selector(selector, &format!("{path}.labelSelector"), errors);
        }
    }
}

/// Checks the taints that a pod tolerates.
pub(super) fn tolerations(pod: &Value, errors: &mut FieldErrors) {
    for (index, one) in items(pod, "/spec/tolerations").iter().enumerate() {
        let path = format!("spec.tolerations[{index}]");
        let (key, operator) = (text(one, "/key"), text(one, "/operator"));
        let (value, effect) = (text(one, "/value"), text(one, "/effect"));
        if !key.is_empty() {
            qualified(key, &format!("{path}.key"), errors);
        }
        if key.is_empty() && operator != "Exists" {
            let why = "operator must be Exists when `key` is empty, which means \"match all values and all keys\"";
            errors.invalid(format!("{path}.operator"), &operator.into(), why);
        }
        if number(one, "/tolerationSeconds").is_some() && effect != "NoExecute" {
            let why = "effect must be 'NoExecute' when `tolerationSeconds` is set";
            errors.invalid(format!("{path}.effect"), &effect.into(), why);
        }
        match operator {
            "" | "Equal" => {
                let problems = eksile_kube::names::label_value(value);
                if !problems.is_empty() {
                    errors.invalid(format!("{path}.operator"), &value.into(), problems.join(";"));
                }
            }
            "Exists" if !value.is_empty() => {
                let why = "value must be empty when `operator` is 'Exists'";
                errors.invalid(format!("{path}.operator"), &value.into(), why);
            }
            "Exists" => {}
            other => errors.not_supported(format!("{path}.operator"), &other.into(), &["Equal", "Exists"]),
        }
        if !effect.is_empty() {
            one_of(effect, EFFECTS, &format!("{path}.effect"), errors);
        }
    }
}
