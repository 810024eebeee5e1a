//! Pod: defaults, quality of service, what may change, how it goes.

mod annotations;
mod change;
mod columns;
mod defaults;
mod quality;
mod validate;
mod warnings;

use std::borrow::Cow;

use eksile_kube::strategy::{Context, Grace, Strategy, restore};
use eksile_kube::{Column, FieldErrors};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::tree::{at, items, map, number, text, truth};

/// The strategy.
pub(crate) struct Pod;

/// Lists of containers, in the order in which upstream visits them.
const CONTAINER_LISTS: [&str; 3] = ["initContainers", "containers", "ephemeralContainers"];

impl Strategy for Pod {
    fn defaults(&self, object: &mut Value) {
        defaults::set(object);
    }

    fn early_warnings(&self, new: &Value) -> Vec<String> {
        annotations::outdated(new)
    }

    fn prepare_create(&self, new: &mut Value, context: &Context<'_>) {
        annotations::synchronize(new);
        let mut status = json!({"phase": "Pending", "qosClass": quality::class(new)});
        if !items(new, "/spec/schedulingGates").is_empty() {
            status["conditions"] = json!([gated(context.now)]);
        }
        if let Some(fields) = new.as_object_mut() {
            fields.insert("status".into(), status);
        }
        if let Some(metadata) = map(new, "metadata") {
            metadata.insert("generation".into(), 1.into());
        }
    }

    fn prepare_update(&self, new: &mut Value, old: &Value, context: &Context<'_>) {
        match context.sub {
            "status" => change::status_only(new, old),
            "ephemeralcontainers" => change::part_only(new, old, &["ephemeralContainers"]),
            "resize" => change::resources_only(new, old),
            _ => restore(new, old, "status"),
        }
        if new.get("spec") != old.get("spec")
            && let Some(metadata) = map(new, "metadata")
        {
            let before = number(old, "/metadata/generation").unwrap_or_default();
            metadata.insert("generation".into(), (before + 1).into());
        }
    }

    fn validate(&self, object: &Value, context: &Context<'_>, errors: &mut FieldErrors) {
        if context.sub != "status" {
            validate::pod(object, errors);
        }
    }

    fn validate_create(&self, new: &Value, _context: &Context<'_>, errors: &mut FieldErrors) {
        if !items(new, "/spec/ephemeralContainers").is_empty() {
            errors.forbidden("spec.ephemeralContainers", "cannot be set on create");
        }
        if !text(new, "/spec/nodeName").is_empty() && !items(new, "/spec/schedulingGates").is_empty() {
            errors.forbidden("spec.nodeName", "cannot be set until all schedulingGates have been cleared");
        }
        annotations::validate_create(new, errors);
    }

    fn validate_update(&self, new: &Value, old: &Value, context: &Context<'_>, errors: &mut FieldErrors) {
        if matches!(context.sub, "" | "status") {
            annotations::validate_update(new, old, errors);
        }
        match context.sub {
            "" => change::validate(new, old, errors),
            "status" => change::validate_status(new, old, errors),
            "ephemeralcontainers" => change::validate_ephemeral(new, old, errors),
            _ => {}
        }
    }

    fn warnings(&self, new: &Value, old: Option<&Value>) -> Vec<String> {
        // Programs change pods, people make them: only a create is worth the words.
        if old.is_none() { warnings::of(new) } else { Vec::new() }
    }

    fn reset_fields(&self, sub: &str) -> &'static [&'static [&'static str]] {
        match sub {
            "" => &[&["status"]],
            "status" => &[&["spec"], &["metadata", "deletionTimestamp"], &["metadata", "ownerReferences"]],
            _ => &[],
        }
    }

    fn returns_deleted(&self) -> bool {
        true
    }

    fn grace(&self, object: &Value, asked: Option<i64>) -> Grace {
        let seconds = asked.or_else(|| number(object, "/spec/terminationGracePeriodSeconds")).unwrap_or_default();
        let over = matches!(text(object, "/status/phase"), "Failed" | "Succeeded");
        match seconds {
            // Nobody runs it, so it goes at once, but through the same marks.
            _ if text(object, "/spec/nodeName").is_empty() || over => Grace::After(0),
            ..0 => Grace::After(1),
            seconds => Grace::After(seconds),
        }
    }

    fn selectable(&self) -> &'static [&'static str] {
        &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.podIPs",
            "status.nominatedNodeName",
        ]
    }

    fn field<'a>(&self, object: &'a Value, name: &str) -> Cow<'a, str> {
        match name {
            "spec.hostNetwork" => if truth(object, "/spec/hostNetwork") { "true" } else { "false" }.into(),
            "status.podIPs" => {
                let ips: Vec<&str> = items(object, "/status/podIPs").iter().map(|ip| text(ip, "/ip")).collect();
                ips.join(",").into()
            }
            other => text(object, &format!("/{}", other.replace('.', "/"))).into(),
        }
    }

    fn columns(&self) -> &'static [Column] {
        columns::COLUMNS
    }

    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        columns::cells(object, now)
    }
}

/// The condition of a pod that waits at a gate.
fn gated(now: Timestamp) -> Value {
    json!({
        "type": "PodScheduled", "status": "False", "reason": "SchedulingGated", "lastProbeTime": null,
        "lastTransitionTime": now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "message": "Scheduling is blocked due to non-empty scheduling gates"
    })
}

/// All containers with their paths, in upstream's order.
fn containers(pod: &Value) -> impl Iterator<Item = (String, &Value)> {
    CONTAINER_LISTS.into_iter().flat_map(move |list| {
        let members = at(pod, "/spec").get(list).and_then(Value::as_array);
        let members = members.map_or(&[][..], Vec::as_slice);
        members.iter().enumerate().map(move |(index, one)| (format!("spec.{list}[{index}]"), one))
    })
}
