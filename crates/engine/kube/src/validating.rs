//! Validating admission: what the cluster has against a write that is otherwise right. Plug-ins see the object as it would
//! be stored, after the kind's own validation and before the store; they change nothing.

use eksile_store::Store;
use futures::future::BoxFuture;
use serde_json::Value;

use crate::call::{Call, Warnings};
use crate::field::FieldErrors;
use crate::resource::Resource;
use crate::status::StatusError;
use crate::strategy::User;

/// A create or a change, about to be stored.
pub struct Write<'a> {
    /// The kind.
    pub resource: &'a Resource,
    /// The subresource written through; empty for the object itself.
    pub sub: &'a str,
    /// Namespace of the request; empty for kinds without namespaces.
    pub namespace: &'a str,
    /// The object's name, given or generated.
    pub name: &'a str,
    /// Who writes.
    pub user: &'a User,
    /// The object as it would be stored.
    pub object: &'a Value,
    /// What is stored; `None` for a create.
    pub old: Option<&'a Value>,
    /// Where other objects are.
    pub store: &'a Store,
    /// Where to say what is not a refusal.
    pub warnings: &'a Warnings,
}

impl Write<'_> {
    /// 422 about the fields of the object.
    #[must_use]
    pub fn invalid(&self, errors: &FieldErrors) -> StatusError {
        StatusError::invalid(&self.resource.hub_group, &self.resource.kind, self.name, errors)
    }
}

/// A plug-in.
pub trait Validator: Send + Sync {
    /// Judges a write.
    ///
    /// # Errors
    /// The answer to give instead of writing.
    fn validate<'a>(&'a self, write: &'a Write<'a>) -> BoxFuture<'a, Result<(), StatusError>>;
}

/// Asks every plug-in of the door, in their order, until one refuses.
///
/// # Errors
/// The first refusal.
pub(crate) async fn validate(
    call: &Call<'_>,
    name: &str,
    object: &Value,
    old: Option<&Value>,
) -> Result<(), StatusError> {
    let write = Write {
        resource: call.resource,
        sub: &call.at.sub,
        namespace: call.namespace(),
        name,
        user: &call.caller.user,
        object,
        old,
        store: &call.door.store,
        warnings: call.warnings,
    };
    for validator in &call.door.validators {
        validator.validate(&write).await?;
    }
    Ok(())
}
