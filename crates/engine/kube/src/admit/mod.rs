//! Fourth station: what the cluster adds to a write, or has against it. Built-in plug-ins, in upstream's order.

mod namespace;
mod node_restriction;
mod priority;
mod service_account;
mod tolerations;

use serde_json::Value;

use crate::call::Call;
use crate::status::StatusError;

/// Admits a create.
///
/// # Errors
/// A plug-in's refusal.
pub(crate) fn create(call: &Call<'_>, object: &mut Value) -> Result<(), StatusError> {
    namespace::create(call, object)?;
    if is_pod(call) {
        service_account::pod(call, object)?;
    }
    node_restriction::create(call, object)?;
    if call.resource.group.is_empty() && &*call.resource.plural == "nodes" {
        taint_not_ready(object);
    }
    if is_pod(call) {
        priority::pod(call, object)?;
        tolerations::pod(object);
    }
    Ok(())
}

/// Admits a change.
///
/// # Errors
/// A plug-in's refusal.
pub(crate) fn update(call: &Call<'_>, new: &mut Value, old: &Value) -> Result<(), StatusError> {
    if is_pod(call) && call.at.sub == "ephemeralcontainers" {
        service_account::ephemeral(call, new)?;
    }
    node_restriction::update(call, new, old)?;
    if is_pod(call) && call.at.sub.is_empty() {
        tolerations::pod(new);
    }
    Ok(())
}

/// Admits the delete of `old`, the very object that is to go.
///
/// # Errors
/// A plug-in's refusal.
pub(crate) fn delete(call: &Call<'_>, old: &Value) -> Result<(), StatusError> {
    node_restriction::delete(call, old)
}

/// Admits what a subresource does that takes a kind of its own (`binding`, `eviction`, `token`): upstream's creates.
///
/// # Errors
/// A plug-in's refusal.
pub(crate) fn action(call: &Call<'_>, body: &Value) -> Result<(), StatusError> {
    namespace::create(call, body)?;
    node_restriction::create(call, body)
}

/// TaintNodesByCondition: nothing is put on a new node before it is known to be ready.
fn taint_not_ready(node: &mut Value) {
    let taint = serde_json::json!({ "key": "node.kubernetes.io/not-ready", "effect": "NoSchedule" });
    let Some(fields) = node.as_object_mut() else { return };
    let spec = fields.entry("spec").or_insert_with(|| serde_json::json!({}));
    let Some(spec) = spec.as_object_mut() else { return };
    let taints = spec.entry("taints").or_insert_with(|| serde_json::json!([]));
    if let Some(list) = taints.as_array_mut().filter(|list| !list.iter().any(|t| t["key"] == taint["key"])) {
        list.push(taint);
    }
}

fn is_pod(call: &Call<'_>) -> bool {
    call.resource.group.is_empty() && &*call.resource.plural == "pods"
}
