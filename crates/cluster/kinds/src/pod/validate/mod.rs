//! What a pod must be, in upstream's order and words (`pkg/apis/core/validation`).

mod containers;
mod probes;
mod resources;
mod scheduling;
mod security;
mod volumes;

pub(super) use volumes::descending;

use eksile_kube::FieldErrors;
use serde_json::Value;

use super::annotations;
use crate::names::{address, between, label, labels, one_of, qualified, subdomain};
use crate::shown::strings;
use crate::tree::{at, items, number, text, truth};

const MOST_NAMESERVERS: usize = 3;
const MOST_SEARCHES: usize = 32;

/// Checks the whole pod.
pub(super) fn pod(pod: &Value, errors: &mut FieldErrors) {
    annotations::validate(pod, errors);
    let volumes = volumes::all(pod, errors);
    containers::all(pod, &volumes, errors);
    security::unmasked(pod, errors);
    host_network(pod, errors);
    one_of(text(pod, "/spec/restartPolicy"), &["Always", "OnFailure", "Never"], "spec.restartPolicy", errors);
    let policies = &["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
    one_of(text(pod, "/spec/dnsPolicy"), policies, "spec.dnsPolicy", errors);
    labels(pod, "/spec/nodeSelector", "spec.nodeSelector", errors);
    security::of_pod(pod, errors);
    scheduling::affinity(pod, errors);
    dns(pod, errors);
    for (index, gate) in items(pod, "/spec/readinessGates").iter().enumerate() {
        qualified(text(gate, "/conditionType"), &format!("spec.readinessGates[{index}].conditionType"), errors);
    }
    scheduling::gates(pod, errors);
    scheduling::spread(pod, errors);
    host_users(pod, errors);
    named(pod, errors);
    scheduling::tolerations(pod, errors);
    aliases(pod, errors);
    let class = text(pod, "/spec/priorityClassName");
    if !class.is_empty() {
        subdomain(class, "spec.priorityClassName", errors);
    }
    let runtime = text(pod, "/spec/runtimeClassName");
    if !runtime.is_empty() {
        subdomain(runtime, "spec.runtimeClassName", errors);
    }
    let preemption = text(pod, "/spec/preemptionPolicy");
    if !preemption.is_empty() {
        one_of(preemption, &["Never", "PreemptLowerPriority"], "spec.preemptionPolicy", errors);
    }
    security::of_system(pod, errors);
    tokens_without_account(pod, errors);
    containers::only_in_pods(pod, errors);
}

fn host_network(pod: &Value, errors: &mut FieldErrors) {
    if !truth(pod, "/spec/hostNetwork") {
        return;
    }
    for (index, container) in items(pod, "/spec/containers").iter().enumerate() {
        for (at, port) in items(container, "/ports").iter().enumerate() {
            let (own, host) =
                (number(port, "/containerPort").unwrap_or_default(), number(port, "/hostPort").unwrap_or_default());
            if own != host {
                let path = format!("spec.containers[{index}].ports[{at}].hostPort");
                errors.invalid(path, &host.into(), "must match `containerPort` when `hostNetwork` is true");
            }
        }
    }
}

fn dns(pod: &Value, errors: &mut FieldErrors) {
    let path = "spec.dnsConfig";
    let config = at(pod, "/spec/dnsConfig");
    let servers = items(config, "/nameservers");
    if text(pod, "/spec/dnsPolicy") == "None" {
        if config.is_null() {
            return errors.required(path, "must provide `dnsConfig` when `dnsPolicy` is None");
        }
        if servers.is_empty() {
            let why = "must provide at least one DNS nameserver when `dnsPolicy` is None";
            return errors.required(format!("{path}.nameservers"), why);
        }
    }
    if servers.len() > MOST_NAMESERVERS {
        let why = format!("must not have more than {MOST_NAMESERVERS} nameservers");
        errors.invalid_verbatim(format!("{path}.nameservers"), strings(servers), why);
    }
    for (index, server) in servers.iter().enumerate() {
        address(server.as_str().unwrap_or_default(), &format!("{path}.nameservers[{index}]"), errors);
    }
    let searches = items(config, "/searches");
    if searches.len() > MOST_SEARCHES {
        let why = format!("must not have more than {MOST_SEARCHES} search paths");
        errors.invalid_verbatim(format!("{path}.searches"), strings(searches), why);
    }
    for (index, search) in searches.iter().enumerate() {
        let name = search.as_str().unwrap_or_default();
        if name != "." {
            search_domain(name.strip_suffix('.').unwrap_or(name), &format!("{path}.searches[{index}]"), errors);
        }
    }
    for (index, option) in items(config, "/options").iter().enumerate() {
        if text(option, "/name").is_empty() {
            errors.required(format!("{path}.options[{index}]"), "must not be empty");
        }
    }
}

/// A subdomain that may have underscores.
fn search_domain(name: &str, path: &str, errors: &mut FieldErrors) {
    if !eksile_kube::names::subdomain(&name.replace('_', "a")).is_empty() {
        let why = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start \
                   and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
                   '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
        errors.invalid(path, &name.into(), why);
    }
}

fn host_users(pod: &Value, errors: &mut FieldErrors) {
    if at(pod, "/spec/hostUsers").as_bool().unwrap_or(true) {
        return;
    }
    for field in ["hostNetwork", "hostPID", "hostIPC"] {
        if truth(pod, &format!("/spec/{field}")) {
            errors.forbidden(format!("spec.{field}"), "when `hostUsers` is false");
        }
    }
}

fn named(pod: &Value, errors: &mut FieldErrors) {
    for field in ["serviceAccountName", "nodeName"] {
        let name = text(pod, &format!("/spec/{field}"));
        if !name.is_empty() {
            subdomain(name, &format!("spec.{field}"), errors);
        }
    }
    if let Some(seconds) = number(pod, "/spec/activeDeadlineSeconds") {
        between(seconds, 1, i64::from(i32::MAX), "spec.activeDeadlineSeconds", errors);
    }
    for field in ["hostname", "subdomain"] {
        let name = text(pod, &format!("/spec/{field}"));
        if !name.is_empty() {
            label(name, &format!("spec.{field}"), errors);
        }
    }
}

fn aliases(pod: &Value, errors: &mut FieldErrors) {
    for (index, alias) in items(pod, "/spec/hostAliases").iter().enumerate() {
        address(text(alias, "/ip"), &format!("spec.hostAliases[{index}].ip"), errors);
        for (at, name) in items(alias, "/hostnames").iter().enumerate() {
            let path = format!("spec.hostAliases[{index}].hostnames[{at}]");
            subdomain(name.as_str().unwrap_or_default(), &path, errors);
        }
    }
}

fn tokens_without_account(pod: &Value, errors: &mut FieldErrors) {
    if !text(pod, "/spec/serviceAccountName").is_empty() {
        return;
    }
    for (index, volume) in items(pod, "/spec/volumes").iter().enumerate() {
        for (source, one) in items(volume, "/projected/sources").iter().enumerate() {
            if at(one, "/serviceAccountToken").is_object() {
                let path = format!("spec.volumes[{index}].projected.sources[{source}].serviceAccountToken");
                errors.forbidden(path, "must not be specified when serviceAccountName is not set");
            }
        }
    }
}
