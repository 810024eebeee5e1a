//! What a pod's author may want to know (`pkg/api/pod/warnings.go`).

use serde_json::Value;

use super::containers;
use crate::tree::{at, items, number, text};

/// Labels of nodes that have newer names.
const OLD_LABELS: &[(&str, &str)] = &[
    ("beta.kubernetes.io/arch", "deprecated since v1.14; use \"kubernetes.io/arch\" instead"),
    ("beta.kubernetes.io/os", "deprecated since v1.14; use \"kubernetes.io/os\" instead"),
    (
        "failure-domain.beta.kubernetes.io/region",
        "deprecated since v1.17; use \"topology.kubernetes.io/region\" instead",
    ),
    ("failure-domain.beta.kubernetes.io/zone", "deprecated since v1.17; use \"topology.kubernetes.io/zone\" instead"),
    ("beta.kubernetes.io/instance-type", "deprecated since v1.17; use \"node.kubernetes.io/instance-type\" instead"),
];
const OLD_ANNOTATIONS: &[(&str, &str)] = &[(
    "scheduler.alpha.kubernetes.io/critical-pod",
    "non-functional in v1.16+; use the \"priorityClassName\" field instead",
)];

/// The warnings about a new pod.
pub(super) fn of(pod: &Value) -> Vec<String> {
    let mut out = Vec::new();
    let problems = eksile_kube::names::label(text(pod, "/metadata/name"));
    if !problems.is_empty() {
        out.push(format!(
            "metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is recommended: [{}]",
            problems.join(" ")
        ));
    }
    old_names(pod, &mut out);
    doubles(pod, &mut out);
    for (path, container) in containers(pod) {
        fractions(&path, container, &mut out);
        hidden_variables(&path, container, &mut out);
    }
    ports(pod, &mut out);
    if number(pod, "/spec/terminationGracePeriodSeconds").is_some_and(|s| s < 0) {
        out.push(
            "spec.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1"
                .into(),
        );
    }
    out
}

fn old_names(pod: &Value, out: &mut Vec<String>) {
    for (label, message) in OLD_LABELS {
        if at(pod, "/spec/nodeSelector").get(label).is_some() {
            out.push(format!("spec.nodeSelector[{label}]: {message}"));
        }
    }
    for (index, constraint) in items(pod, "/spec/topologySpreadConstraints").iter().enumerate() {
        let key = text(constraint, "/topologyKey");
        if let Some((_, message)) = OLD_LABELS.iter().find(|(label, _)| *label == key) {
            out.push(format!("spec.topologySpreadConstraints[{index}].topologyKey: {key} is {message}"));
        }
        if at(constraint, "/labelSelector").is_null() {
            out.push(format!(
                "spec.topologySpreadConstraints[{index}].labelSelector: a null labelSelector results in matching no pod"
            ));
        }
    }
    for (annotation, message) in OLD_ANNOTATIONS {
        if at(pod, "/metadata/annotations").get(annotation).is_some() {
            out.push(format!("metadata.annotations[{annotation}]: {message}"));
        }
    }
}

fn doubles(pod: &Value, out: &mut Vec<String>) {
    let mut twice = |list: &str, field: &str, what: &str| {
        let members = items(pod, &format!("/spec/{list}"));
        for (index, one) in members.iter().enumerate() {
            let value = text(one, &format!("/{field}"));
            if members[..index].iter().any(|other| text(other, &format!("/{field}")) == value) {
                out.push(format!("spec.{list}[{index}].{field}: duplicate {what} \"{value}\""));
            }
        }
    };
    twice("hostAliases", "ip", "ip");
    twice("imagePullSecrets", "name", "name");
    for (index, secret) in items(pod, "/spec/imagePullSecrets").iter().enumerate() {
        if text(secret, "/name").is_empty() {
            out.push(format!("spec.imagePullSecrets[{index}].name: invalid empty name \"\""));
        }
    }
}

fn fractions(path: &str, container: &Value, out: &mut Vec<String>) {
    for resource in ["memory", "ephemeral-storage"] {
        for kind in ["limits", "requests"] {
            let value = at(container, &format!("/resources/{kind}/{resource}"));
            if !crate::quantity::is_whole(value) {
                let shown = value.as_str().unwrap_or_default();
                out.push(format!(
                    "{path}.resources.{kind}[{resource}]: fractional byte value \"{shown}\" is invalid, must be an integer"
                ));
            }
        }
    }
}

fn hidden_variables(path: &str, container: &Value, out: &mut Vec<String>) {
    let variables = items(container, "/env");
    for (index, variable) in variables.iter().enumerate() {
        let name = text(variable, "/name");
        if !variables[..index].iter().any(|other| text(other, "/name") == name) {
            continue;
        }
        let reference = format!("$({name})");
        let value = text(variable, "/value");
        if at(variable, "/valueFrom").is_object() || value == reference || !value.contains(&reference) {
            out.push(format!(
                "{path}.env[{index}]: hides previous definition of \"{name}\", which may be dropped when using apply"
            ));
        }
    }
}

fn ports(pod: &Value, out: &mut Vec<String>) {
    let all: Vec<(String, &Value)> = containers(pod)
        .flat_map(|(path, container)| {
            let ports = items(container, "/ports").iter().enumerate();
            ports.map(move |(index, port)| (format!("{path}.ports[{index}]"), port))
        })
        .collect();
    let host = |port: &Value| (text(port, "/hostIP").to_owned(), number(port, "/hostPort").unwrap_or_default());
    for (index, (path, port)) in all.iter().enumerate() {
        for (other_path, other) in &all[..index] {
            let same = text(port, "/protocol") == text(other, "/protocol")
                && number(port, "/containerPort") == number(other, "/containerPort");
            let (own, theirs) = (host(port), host(other));
            if !same {
                continue;
            }
            let what = if own == theirs {
                "duplicate"
            } else if own.1 == 0 || theirs.1 == 0 {
                "overlapping"
            } else if own.1 == theirs.1 && own.0.is_empty() != theirs.0.is_empty() {
                "dangerously ambiguous"
            } else {
                continue;
            };
            out.push(format!("{path}: {what} port definition with {other_path}"));
        }
    }
    named_ports(&all, out);
}

fn named_ports(all: &[(String, &Value)], out: &mut Vec<String>) {
    for (index, (path, port)) in all.iter().enumerate() {
        let name = text(port, "/name");
        let first = all[..index].iter().find(|(_, other)| text(other, "/name") == name);
        if let Some((other, _)) = first.filter(|_| !name.is_empty()) {
            out.push(format!(
                "{path}: duplicate port name \"{name}\" with {other}, services and probes that select ports by name will use {other}"
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn a_variable_that_hides_another_is_told() {
        let pod = json!({"metadata": {"name": "p"}, "spec": {"containers": [{"env": [
            {"name": "A", "value": "x"}, {"name": "A", "value": "$(A)y"}, {"name": "A", "value": "z"}
        ]}]}});
        let warnings = super::of(&pod);
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].starts_with("spec.containers[0].env[2]: hides"));
    }
}
