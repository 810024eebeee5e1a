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
pub fn create(call: &Call<'_>, object: &mut Value) -> Result<(), StatusError> {
    namespace::create(call, object)?;
    if call.caller.node().is_some() {
        node_restriction::create(call, object)?;
    }
    if is_pod(call) {
        service_account::pod(call, object)?;
        priority::pod(call, object)?;
        tolerations::pod(object);
    }
    Ok(())
}

/// Admits a change.
///
/// # Errors
/// A plug-in's refusal.
pub fn update(call: &Call<'_>, new: &mut Value, old: &Value) -> Result<(), StatusError> {
    if call.caller.node().is_some() {
        node_restriction::update(call, new, old)?;
    }
    Ok(())
}

fn is_pod(call: &Call<'_>) -> bool {
    call.resource.group.is_empty() && &*call.resource.plural == "pods"
}
