//! Node: taints, what is assigned once, capacity.

use std::borrow::Cow;

use eksile_kube::strategy::{Context, Strategy};
use eksile_kube::{Column, FieldErrors};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::columns::{self, AGE, NAME, or_none, shown, wide};
use crate::names::{one_of, qualified};
use crate::tree::{at, entries, items, map, text, truth};

/// The strategy.
pub(crate) struct Node;

const COLUMNS: &[Column] = &[
    NAME,
    shown("Status", "Whether it is ready, and schedulable."),
    shown("Roles", "Its roles, by label."),
    AGE,
    shown("Version", "The kubelet's version."),
    wide("Internal-IP", "Its address inside."),
    wide("External-IP", "Its address outside."),
    wide("OS-Image", "Its operating system."),
    wide("Kernel-Version", "Its kernel."),
    wide("Container-Runtime", "What runs its containers."),
];
const ROLE_PREFIX: &str = "node-role.kubernetes.io/";
const ROLE_LABEL: &str = "kubernetes.io/role";
const EFFECTS: &[&str] = &["NoSchedule", "PreferNoSchedule", "NoExecute"];

impl Strategy for Node {
    fn defaults(&self, object: &mut Value) {
        // The two fields say the same; an old client sends the first one only.
        if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) {
            match (spec.get("podCIDR").cloned(), spec.get("podCIDRs").cloned()) {
                (Some(one), None) if one != "" => {
                    spec.insert("podCIDRs".into(), json!([one]));
                }
                (None, Some(Value::Array(many))) if !many.is_empty() => {
                    spec.insert("podCIDR".into(), many[0].clone());
                }
                _ => {}
            }
        }
        let capacity = at(object, "/status/capacity");
        if at(object, "/status/allocatable").is_null() && capacity.is_object() {
            let capacity = capacity.clone();
            if let Some(status) = map(object, "status") {
                status.insert("allocatable".into(), capacity);
            }
        }
    }

    /// A kubelet registers with its status, so a create keeps it.
    fn prepare_create(&self, _new: &mut Value, _context: &Context<'_>) {}

    fn validate(&self, object: &Value, context: &Context<'_>, errors: &mut FieldErrors) {
        taints(object, errors);
        for list in ["capacity", "allocatable"] {
            for (name, quantity) in entries(object, &format!("/status/{list}")) {
                crate::quantity::not_negative(quantity, &format!("status.{list}.{name}"), errors);
            }
        }
        if context.sub == "status" {
            return;
        }
        for (index, cidr) in items(object, "/spec/podCIDRs").iter().enumerate() {
            if !is_cidr(cidr.as_str().unwrap_or_default()) {
                errors.invalid(
                    format!("spec.podCIDRs[{index}]"),
                    cidr,
                    "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)",
                );
            }
        }
    }

    fn validate_update(&self, new: &Value, old: &Value, _context: &Context<'_>, errors: &mut FieldErrors) {
        let before = items(old, "/spec/podCIDRs");
        if !before.is_empty() && before != items(new, "/spec/podCIDRs") {
            errors.forbidden("spec.podCIDRs", "node updates may not change podCIDR except from \"\" to valid");
        }
        let before = text(old, "/spec/providerID");
        if !before.is_empty() && before != text(new, "/spec/providerID") {
            errors.forbidden("spec.providerID", "node updates may not change providerID except from \"\" to valid");
        }
    }

    fn selectable(&self) -> &'static [&'static str] {
        &["spec.unschedulable"]
    }

    fn field<'a>(&self, object: &'a Value, _name: &str) -> Cow<'a, str> {
        if truth(object, "/spec/unschedulable") { "true".into() } else { "false".into() }
    }

    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }

    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        let info = |field: &str| -> Value {
            let value = text(object, &format!("/status/nodeInfo/{field}"));
            if value.is_empty() { "<unknown>".into() } else { value.into() }
        };
        vec![
            columns::name(object),
            status(object).into(),
            or_none(&roles(object)),
            columns::age(object, now),
            text(object, "/status/nodeInfo/kubeletVersion").into(),
            or_none(address(object, "InternalIP")),
            or_none(address(object, "ExternalIP")),
            info("osImage"),
            info("kernelVersion"),
            info("containerRuntimeVersion"),
        ]
    }
}

fn taints(object: &Value, errors: &mut FieldErrors) {
    let mut seen: std::collections::HashSet<(&str, &str)> = std::collections::HashSet::new();
    for (index, taint) in items(object, "/spec/taints").iter().enumerate() {
        let path = format!("metadata.taints[{index}]");
        let (key, effect) = (text(taint, "/key"), text(taint, "/effect"));
        qualified(key, &format!("{path}.key"), errors);
        let value = text(taint, "/value");
        for problem in eksile_kube::names::label_value(value) {
            errors.invalid(format!("{path}.value"), &value.into(), problem);
        }
        if effect.is_empty() {
            errors.required(format!("{path}.effect"), "");
        } else {
            one_of(effect, EFFECTS, &format!("{path}.effect"), errors);
        }
        if !seen.insert((key, effect)) {
            errors.push(eksile_kube::FieldError {
                kind: eksile_kube::field::FieldErrorKind::Duplicate,
                field: path,
                value: Some(taint.to_string()),
                detail: "taints must be unique by key and effect pair".into(),
            });
        }
    }
}

/// Whether a text is an address with a prefix length.
pub(crate) fn is_cidr(text: &str) -> bool {
    let Some((address, length)) = text.split_once('/') else { return false };
    let Ok(address) = address.parse::<std::net::IpAddr>() else { return false };
    let longest = if address.is_ipv4() { 32 } else { 128 };
    length.parse::<u8>().is_ok_and(|length| length <= longest)
}

fn status(node: &Value) -> String {
    let ready = items(node, "/status/conditions").iter().find(|c| text(c, "/type") == "Ready");
    let mut status = match ready {
        Some(condition) if text(condition, "/status") == "True" => "Ready",
        Some(_) => "NotReady",
        None => "Unknown",
    }
    .to_owned();
    if truth(node, "/spec/unschedulable") {
        status.push_str(",SchedulingDisabled");
    }
    status
}

fn roles(node: &Value) -> String {
    let mut roles: Vec<&str> = entries(node, "/metadata/labels")
        .filter_map(|(key, value)| match key.strip_prefix(ROLE_PREFIX) {
            Some(role) => Some(role),
            None if key == ROLE_LABEL => value.as_str(),
            None => None,
        })
        .filter(|role| !role.is_empty())
        .collect();
    roles.sort_unstable();
    roles.dedup();
    roles.join(",")
}

fn address<'a>(node: &'a Value, kind: &str) -> &'a str {
    let found = items(node, "/status/addresses").iter().find(|a| text(a, "/type") == kind);
    found.map_or("", |a| text(a, "/address"))
}
