//! NamespaceLifecycle: nothing is made in a namespace that is missing or on its way out.

use serde_json::Value;

use crate::call::Call;
use crate::object::meta;
use crate::status::{Cause, StatusError};

pub(super) fn create(call: &Call<'_>, object: &Value) -> Result<(), StatusError> {
    let namespace = call.namespace();
    if namespace.is_empty() {
        return Ok(());
    }
    let found = call.door.store.view().get(&format!("/registry/namespaces/{namespace}"));
    let Some(entry) = found else { return Err(StatusError::not_found("", "namespaces", namespace)) };
    // Only a namespace that is being deleted needs a closer look.
    const MARK: &[u8] = b"\"deletionTimestamp\"";
    if !entry.value.windows(MARK.len()).any(|w| w == MARK) {
        return Ok(());
    }
    let stored: Value = serde_json::from_slice(&entry.value).map_err(StatusError::internal)?;
    if meta(&stored, "deletionTimestamp").is_empty() {
        return Ok(());
    }
    let why = format!("unable to create new content in namespace {namespace} because it is being terminated");
    let mut error = StatusError::forbidden(&call.resource.group, &call.resource.plural, meta(object, "name"), &why);
    if let Some(details) = &mut error.0.details {
        details.causes.push(Cause {
            reason: "NamespaceTerminating".into(),
            message: format!("namespace {namespace} is being terminated"),
            field: "metadata.namespace".into(),
        });
    }
    Err(error)
}
