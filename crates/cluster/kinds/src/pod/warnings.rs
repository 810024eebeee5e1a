//! What a pod's author may want to know (`pkg/api/pod/warnings.go`).

use std::collections::{BTreeSet, HashMap, HashSet};

use serde_json::Value;

use super::{annotations, containers};
use crate::tree::{at, items, number, text};

/// Pairs of ports that get in each other's way are quadratic in number, and no more than this are told: of so many the
/// answer's `Warning` headers (4,096 characters) could not tell more anyway.
const MOST: usize = 1000;
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
    repositories(pod, &mut out);
    doubles(pod, &mut out);
    old_seccomp(pod, at(pod, "/spec/securityContext"), annotations::SECCOMP_POD, &mut out);
    for (path, container) in containers(pod) {
        let key = format!("{}{}", annotations::SECCOMP, text(container, "/name"));
        old_seccomp(pod, at(container, "/securityContext"), &key, &mut out);
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

fn repositories(pod: &Value, out: &mut Vec<String>) {
    for (index, volume) in items(pod, "/spec/volumes").iter().enumerate() {
        if at(volume, "/gitRepo").is_object() {
            out.push(format!("spec.volumes[{index}].gitRepo: deprecated in v1.11, and disabled by default in v1.33+"));
        }
    }
}

fn old_seccomp(pod: &Value, context: &Value, key: &str, out: &mut Vec<String>) {
    if at(pod, "/metadata/annotations").get(key).is_some() && !at(context, "/seccompProfile").is_object() {
        out.push(format!(
            "metadata.annotations[{key}]: non-functional in v1.27+; use the \"seccompProfile\" field instead"
        ));
    }
}

fn doubles(pod: &Value, out: &mut Vec<String>) {
    let mut twice = |list: &str, field: &str, what: &str| {
        let mut seen = HashSet::new();
        for (index, one) in items(pod, &format!("/spec/{list}")).iter().enumerate() {
            let value = text(one, &format!("/{field}"));
            if !seen.insert(value) {
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
    let mut seen = HashSet::new();
    for (index, variable) in items(container, "/env").iter().enumerate() {
        let name = text(variable, "/name");
        if seen.insert(name) {
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
    let mut known: HashMap<(&str, Option<i64>), HostPorts<'_>> = HashMap::new();
    for (index, (path, port)) in all.iter().enumerate() {
        let earlier = known.entry((text(port, "/protocol"), number(port, "/containerPort"))).or_default();
        let (ip, host) = (text(port, "/hostIP"), number(port, "/hostPort").unwrap_or_default());
        for other in earlier.at_odds_with(ip, host) {
            if out.len() >= MOST {
                return;
            }
            let (other_path, other) = &all[other];
            let theirs = (text(other, "/hostIP"), number(other, "/hostPort").unwrap_or_default());
            let what = if (ip, host) == theirs {
                "duplicate"
            } else if host == 0 || theirs.1 == 0 {
                "overlapping"
            } else {
                "dangerously ambiguous"
            };
            out.push(format!("{path}: {what} port definition with {other_path}"));
        }
        earlier.add(index, ip, host);
    }
    named_ports(&all, out);
}

/// The ports of one number and protocol, by where they are on the host.
#[derive(Default)]
struct HostPorts<'a> {
    all: Vec<usize>,
    /// Those that are nowhere in particular.
    open: Vec<usize>,
    by_port: HashMap<i64, Vec<usize>>,
    by_place: HashMap<(&'a str, i64), Vec<usize>>,
}

impl<'a> HostPorts<'a> {
    fn add(&mut self, index: usize, ip: &'a str, host: i64) {
        self.all.push(index);
        if host == 0 {
            self.open.push(index);
        }
        self.by_port.entry(host).or_default().push(index);
        self.by_place.entry((ip, host)).or_default().push(index);
    }

    /// Those that get in the way of another port, in their order. No more than can be told of.
    fn at_odds_with(&self, ip: &'a str, host: i64) -> Vec<usize> {
        if host == 0 {
            return self.all.iter().copied().take(MOST).collect();
        }
        let some = |list: Option<&Vec<usize>>| list.into_iter().flatten().copied().take(MOST).collect::<Vec<_>>();
        let mut found: BTreeSet<usize> = self.open.iter().copied().take(MOST).collect();
        if ip.is_empty() {
            found.extend(some(self.by_port.get(&host)));
        } else {
            found.extend(some(self.by_place.get(&(ip, host))));
            found.extend(some(self.by_place.get(&("", host))));
        }
        found.into_iter().collect()
    }
}

fn named_ports(all: &[(String, &Value)], out: &mut Vec<String>) {
    let mut firsts: HashMap<&str, &str> = HashMap::new();
    for (path, port) in all {
        let name = text(port, "/name");
        if name.is_empty() {
            continue;
        }
        let other = *firsts.entry(name).or_insert(path);
        if other != path {
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
