//! Subresources that take another kind and do something.

mod binding;
mod eviction;
mod token;

use crate::answer::Answer;
use crate::call::Call;
use crate::locate::ResourceRequest;
use crate::status::StatusError;

/// Runs the action of a call.
///
/// # Errors
/// The `Status` to answer; 501 for actions that are not built.
pub(crate) async fn run(call: &Call<'_>) -> Result<Answer, StatusError> {
    match (&*call.resource.plural, call.at.sub.as_str()) {
        ("pods", "binding") => binding::run(call).await,
        ("pods", "eviction") => eviction::run(call).await,
        ("serviceaccounts", "token") => token::run(call),
        (plural, sub) => Err(StatusError::not_implemented(format!("{plural}/{sub} is not built"))),
    }
}

/// `bindings`: the old form of `pods/binding`, the pod named in the body.
///
/// # Errors
/// As `pods/binding`.
pub(crate) async fn bindings(call: &Call<'_>) -> Result<Answer, StatusError> {
    let body: serde_json::Value =
        serde_json::from_slice(&call.body).map_err(|e| StatusError::bad_request(e.to_string()))?;
    let Some(pods) = call.door.resources.get("", "v1", "pods") else {
        return Err(StatusError::not_implemented("this server has no pods"));
    };
    let at = ResourceRequest {
        plural: "pods".to_owned(),
        sub: "binding".to_owned(),
        resource: Some(pods.clone()),
        ..call.at.about(&call.at.namespace, crate::object::meta(&body, "name"))
    };
    binding::run(&Call { at: &at, resource: pods, body: call.body.clone(), ..*call }).await
}
