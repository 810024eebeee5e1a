//! What may change in a pod, by which door.

use std::collections::{HashMap, HashSet};

use eksile_kube::FieldErrors;
use eksile_kube::strategy::restore;
use serde_json::{Map, Value};

use crate::names::{address, between, subdomain};
use crate::tree::{at, items, items_mut, map, number, text};

/// Fields that an update may change, as upstream names them.
const CHANGEABLE: &str = "pod updates may not change fields other than \
    `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to \
    existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

/// A write to the status keeps the rest, and the class.
pub(super) fn status_only(new: &mut Value, old: &Value) {
    restore(new, old, "spec");
    let owners = at(old, "/metadata/ownerReferences").clone();
    if let Some(metadata) = map(new, "metadata") {
        put(metadata, "ownerReferences", owners);
    }
    if text(new, "/status/qosClass").is_empty() {
        let class = at(old, "/status/qosClass").clone();
        if let Some(status) = map(new, "status") {
            put(status, "qosClass", class);
        }
    }
}

fn put(fields: &mut Map<String, Value>, name: &str, value: Value) {
    if value.is_null() {
        fields.remove(name);
    } else {
        fields.insert(name.to_owned(), value);
    }
}

/// A write that may change some fields of the specification only; the metadata stays too.
pub(super) fn part_only(new: &mut Value, old: &Value, fields: &[&str]) {
    let given: Vec<(String, Value)> =
        fields.iter().map(|f| ((*f).to_owned(), at(new, "/spec").get(*f).cloned().unwrap_or_default())).collect();
    restore(new, old, "spec");
    restore(new, old, "status");
    keep_metadata(new, old);
    if let Some(spec) = map(new, "spec") {
        for (name, value) in given {
            put(spec, &name, value);
        }
    }
}

fn keep_metadata(new: &mut Value, old: &Value) {
    let fields = ["deletionTimestamp", "ownerReferences", "labels", "annotations", "finalizers", "generation"];
    let before: Vec<Value> = fields.iter().map(|f| at(old, "/metadata").get(*f).cloned().unwrap_or_default()).collect();
    if let Some(metadata) = map(new, "metadata") {
        for (name, value) in fields.iter().zip(before) {
            put(metadata, name, value);
        }
    }
}

/// A resize changes the resources of containers and nothing else.
pub(super) fn resources_only(new: &mut Value, old: &Value) {
    let lists = ["containers", "initContainers"];
    let given: Vec<Vec<Value>> = lists.iter().map(|l| items(new, &format!("/spec/{l}")).to_vec()).collect();
    restore(new, old, "spec");
    restore(new, old, "status");
    keep_metadata(new, old);
    for (list, given) in lists.iter().zip(given) {
        let given = by_name(&given);
        for container in items_mut(new, &format!("/spec/{list}")) {
            let wanted = given.get(text(container, "/name"));
            if let (Some(wanted), Some(fields)) = (wanted, container.as_object_mut()) {
                for field in ["resources", "resizePolicy"] {
                    put(fields, field, wanted.get(field).cloned().unwrap_or_default());
                }
            }
        }
    }
}

/// The first of each name.
fn by_name(items: &[Value]) -> HashMap<&str, &Value> {
    let mut out = HashMap::with_capacity(items.len());
    for item in items {
        out.entry(text(item, "/name")).or_insert(item);
    }
    out
}

/// Checks an update of the object itself.
pub(super) fn validate(new: &Value, old: &Value, errors: &mut FieldErrors) {
    if !same_containers(new, old, errors) || !deadline(new, old, errors) {
        return;
    }
    tolerations(new, old, errors);
    gates(new, old, errors);
    if at(new, "/spec") == at(old, "/spec") {
        return;
    }
    let gated = !items(old, "/spec/schedulingGates").is_empty();
    if gated {
        selector_grows(new, old, errors);
    }
    if !alike(new, old, gated) {
        errors.forbidden("spec", CHANGEABLE);
    }
}

fn same_containers(new: &Value, old: &Value, errors: &mut FieldErrors) -> bool {
    for list in ["containers", "initContainers"] {
        let (now, before) = (items(new, &format!("/spec/{list}")), items(old, &format!("/spec/{list}")));
        if now.len() != before.len() {
            errors.forbidden(format!("spec.{list}"), "pod updates may not add or remove containers");
            return false;
        }
        for (index, container) in now.iter().enumerate() {
            let image = text(container, "/image");
            let path = format!("spec.{list}[{index}].image");
            if image.is_empty() {
                errors.required(path, "");
            } else if image.trim() != image {
                errors.invalid(path, &image.into(), "must not have leading or trailing whitespace");
            }
        }
    }
    true
}

fn deadline(new: &Value, old: &Value, errors: &mut FieldErrors) -> bool {
    let path = "spec.activeDeadlineSeconds";
    let before = number(old, "/spec/activeDeadlineSeconds");
    match (number(new, "/spec/activeDeadlineSeconds"), before) {
        (Some(now), _) if !(0..=i64::from(i32::MAX)).contains(&now) => {
            between(now, 0, i64::from(i32::MAX), path, errors);
            false
        }
        (Some(now), Some(before)) if before < now => {
            errors.invalid(path, &now.into(), "must be less than or equal to previous value");
            false
        }
        (None, Some(_)) => {
            errors.invalid_verbatim(path, "null", "must not update from a positive integer to nil value");
            true
        }
        _ => true,
    }
}

fn tolerations(new: &Value, old: &Value, errors: &mut FieldErrors) {
    let (now, before) = (items(new, "/spec/tolerations"), items(old, "/spec/tolerations"));
    let bare = |toleration: &Value| {
        let mut copy = toleration.clone();
        copy.as_object_mut().map(|fields| fields.remove("tolerationSeconds"));
        copy
    };
    // The seconds of a toleration may change.
    let now: HashSet<Value> = now.iter().map(bare).collect();
    if before.iter().any(|old| !now.contains(&bare(old))) {
        let why = "existing toleration can not be modified except its tolerationSeconds";
        errors.forbidden("spec.tolerations", why);
    }
}

fn gates(new: &Value, old: &Value, errors: &mut FieldErrors) {
    let before: HashSet<&Value> = items(old, "/spec/schedulingGates").iter().collect();
    for (index, gate) in items(new, "/spec/schedulingGates").iter().enumerate() {
        if !before.contains(gate) {
            let name = text(gate, "/name");
            let why = format!("only deletion is allowed, but found new scheduling gate '{name}'");
            errors.forbidden(format!("spec.schedulingGates[{index}].name"), why);
        }
    }
}

fn selector_grows(new: &Value, old: &Value, errors: &mut FieldErrors) {
    let Some(before) = at(old, "/spec/nodeSelector").as_object() else { return };
    for (key, value) in before {
        if at(new, "/spec/nodeSelector").get(key) != Some(value) {
            let why = "only additions to spec.nodeSelector are allowed (no mutations or deletions)";
            errors.push(eksile_kube::FieldError {
                kind: eksile_kube::field::FieldErrorKind::Invalid,
                field: "spec.nodeSelector".into(),
                value: Some(at(new, "/spec/nodeSelector").to_string()),
                detail: why.into(),
            });
            return;
        }
    }
}

/// Whether two specifications differ only where they may.
fn alike(new: &Value, old: &Value, gated: bool) -> bool {
    let bare = |pod: &Value| {
        let mut spec = at(pod, "/spec").clone();
        for list in ["/containers", "/initContainers"] {
            for container in items_mut(&mut spec, list).filter_map(Value::as_object_mut) {
                container.remove("image");
            }
        }
        if let Some(fields) = spec.as_object_mut() {
            for field in ["activeDeadlineSeconds", "schedulingGates", "tolerations"] {
                fields.remove(field);
            }
            if gated {
                fields.remove("nodeSelector");
                if let Some(Value::Object(affinity)) = fields.get_mut("affinity") {
                    affinity.remove("nodeAffinity");
                }
            }
            let negative = number(old, "/spec/terminationGracePeriodSeconds").is_some_and(|s| s < 0);
            if negative && number(new, "/spec/terminationGracePeriodSeconds") == Some(1) {
                fields.remove("terminationGracePeriodSeconds");
            }
        }
        spec
    };
    bare(new) == bare(old)
}

/// Checks a write to the status.
pub(super) fn validate_status(new: &Value, old: &Value, errors: &mut FieldErrors) {
    for (index, condition) in items(new, "/status/conditions").iter().enumerate() {
        let kind = text(condition, "/type");
        let system = [
            "PodScheduled",
            "Ready",
            "ContainersReady",
            "Initialized",
            "DisruptionTarget",
            "PodReadyToStartContainers",
        ];
        if !system.contains(&kind) {
            crate::names::qualified(kind, &format!("status.conditions[{index}].Type"), errors);
        }
    }
    let nominated = text(new, "/status/nominatedNodeName");
    if !nominated.is_empty() && nominated != text(old, "/status/nominatedNodeName") {
        subdomain(nominated, "status.nominatedNodeName", errors);
    }
    let class = at(new, "/status/qosClass");
    if class != at(old, "/status/qosClass") {
        errors.invalid("status.qosClass", class, "field is immutable");
    }
    restarts(new, old, errors);
    for list in ["podIPs", "hostIPs"] {
        for (index, ip) in items(new, &format!("/status/{list}")).iter().enumerate() {
            address(text(ip, "/ip"), &format!("status.{list}[{index}]"), errors);
        }
    }
}

/// A container that is not to start again does not leave its end.
fn restarts(new: &Value, old: &Value, errors: &mut FieldErrors) {
    let policy = text(old, "/spec/restartPolicy");
    let statuses = by_name(items(new, "/status/containerStatuses"));
    for (index, before) in items(old, "/status/containerStatuses").iter().enumerate() {
        let ended = at(before, "/state/terminated");
        if !ended.is_object() || policy == "Always" {
            continue;
        }
        if policy == "OnFailure" && number(ended, "/exitCode").unwrap_or_default() != 0 {
            continue;
        }
        let name = text(before, "/name");
        let now = statuses.get(name);
        if now.is_some_and(|now| !at(now, "/state/terminated").is_object()) {
            let path = format!("status.containerStatuses[{index}].state");
            errors.forbidden(path, "may not be transitioned to non-terminated state");
        }
    }
}

/// Checks a write to the ephemeral containers: they may only be added.
pub(super) fn validate_ephemeral(new: &Value, old: &Value, errors: &mut FieldErrors) {
    let now = by_name(items(new, "/spec/ephemeralContainers"));
    for before in items(old, "/spec/ephemeralContainers") {
        let name = text(before, "/name");
        match now.get(name).copied() {
            None => {
                let why = format!("existing ephemeral containers \"{name}\" may not be removed\n");
                errors.forbidden("spec.ephemeralContainers", why);
            }
            Some(same) if same == before => {}
            Some(_) => {
                let why = format!("existing ephemeral containers \"{name}\" may not be changed");
                errors.forbidden("spec.ephemeralContainers", why);
            }
        }
    }
}
