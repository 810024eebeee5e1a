//! What is shared with the node.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Violation, flag, many, named, setters, sorted, those};
use crate::references::{containers, items, text};

/// `hostNamespaces`.
pub(super) fn namespaces(pod: &Value) -> Option<Violation> {
    let shared: Vec<String> = ["hostNetwork", "hostPID", "hostIPC"]
        .into_iter()
        .filter(|name| flag(pod, &format!("/spec/{name}")) == Some(true))
        .map(|name| format!("{name}=true"))
        .collect();
    (!shared.is_empty()).then(|| Violation::new("host namespaces", shared.join(", ")))
}

/// `hostPorts`.
pub(super) fn ports(pod: &Value) -> Option<Violation> {
    let (mut names, mut ports) = (Vec::new(), BTreeSet::new());
    for container in containers(pod) {
        let own = items(container, "/ports").filter_map(|port| port.get("hostPort").and_then(Value::as_i64));
        let own: Vec<i64> = own.filter(|port| *port != 0).collect();
        if !own.is_empty() {
            names.push(text(container, "/name"));
            ports.extend(own.iter().map(i64::to_string));
        }
    }
    let ports = sorted(ports);
    (!names.is_empty()).then(|| {
        let uses = if names.len() == 1 { "uses" } else { "use" };
        let ports = format!("{} {}", many("hostPort", ports.len()), ports.join(", "));
        Violation::new("hostPort", format!("{} {uses} {ports}", named("container", &names)))
    })
}

/// `windowsHostProcess`.
pub(super) fn windows_process(pod: &Value) -> Option<Violation> {
    let is = |value: &Value, at: &str| flag(value, &format!("{at}/windowsOptions/hostProcess")) == Some(true);
    let own = is(pod, "/spec/securityContext");
    let names = those(pod, |one| is(one, "/securityContext"));
    (own || !names.is_empty()).then(|| {
        let who = setters(own, &names);
        Violation::new("hostProcess", format!("{who} must not set securityContext.windowsOptions.hostProcess=true"))
    })
}
