//! `pods/eviction`: a delete that disruption budgets may forbid. There are no budgets in this server, so none forbids.
//!
//! The pod that was judged is the pod that goes: with its uid as a precondition, though a pod of the same name takes its
//! place between the judgement and the delete.

use serde_json::Value;

use crate::admit;
use crate::answer::Answer;
use crate::call::Call;
use crate::decode;
use crate::deletion::{self, Options};
use crate::field::FieldErrors;
use crate::object::meta;
use crate::status::{Status, StatusError};
use crate::write::{self, CHANGED, Current};

pub(super) async fn run(call: &Call<'_>) -> Result<Answer, StatusError> {
    let eviction = body(call)?;
    admit::action(call, &eviction)?;
    if meta(&eviction, "name") != call.at.name {
        return Err(StatusError::bad_request("name in URL does not match name in Eviction object"));
    }
    let options = options(call, &eviction)?;
    let judged = Current::read(call)?;
    let uid = meta(&judged.object, "uid").to_owned();
    for _ in 0..write::TRIES {
        let current = Current::read(call)?;
        if meta(&current.object, "uid") != uid {
            return Err(call.not_found());
        }
        match deletion::delete(call, &current, &options).await {
            Err(error) if error.to_string().ends_with(CHANGED) => {}
            Err(error) => return Err(error),
            Ok(_) => {
                let mut status = Status::success(None);
                status.code = 201;
                return Ok(Answer::status(201, &status));
            }
        }
    }
    Err(call.conflict(CHANGED))
}

/// The body, with the namespace of the path.
fn body(call: &Call<'_>) -> Result<Value, StatusError> {
    let eviction = decode::tree(call)?;
    let text = |field: &str| eviction.get(field).and_then(Value::as_str).unwrap_or_default();
    let known =
        matches!(text("apiVersion"), "" | "policy/v1" | "policy/v1beta1") && matches!(text("kind"), "" | "Eviction");
    if !known {
        let (version, kind) = (text("apiVersion"), text("kind"));
        return Err(StatusError::bad_request(format!("{kind} in version {version:?} cannot be handled as a Eviction")));
    }
    let namespace = meta(&eviction, "namespace");
    if !namespace.is_empty() && namespace != call.namespace() {
        return Err(StatusError::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    Ok(eviction)
}

/// How the pod is to be deleted: the body's options, and the request's dry run.
fn options(call: &Call<'_>, eviction: &Value) -> Result<Options, StatusError> {
    let mut errors = FieldErrors::new();
    let given = eviction.get("deleteOptions").cloned().unwrap_or_default();
    let options = Options::of(call, &given, &mut errors)?;
    if errors.is_empty() { Ok(options) } else { Err(StatusError::invalid("meta.k8s.io", "DeleteOptions", "", &errors)) }
}
