//! Change parts of one object: JSON patch, merge patch, strategic merge patch. Apply has its own file.

use serde_json::Value;

use crate::answer::Answer;
use crate::call::Call;
use crate::field::{FieldErrors, quote};
use crate::metadata;
use crate::negotiate::{self, unsupported_patch};
use crate::query::{FieldValidation, WriteOptions};
use crate::status::StatusError;
use crate::verbs::update::check_preconditions;
use crate::write::{self, CHANGED, Current, Tracking};
use eksile_apimachinery::patch::{self, PatchError, Patched};
use eksile_apimachinery::schema::Schema;

/// One of the three: body to object.
type Patch = fn(&Schema, &Value, &[u8]) -> Result<Patched, PatchError>;

pub(super) async fn run(call: &Call<'_>) -> Result<Answer, StatusError> {
    let apply: Patch = match negotiate::media(call.head.content_type) {
        "application/json-patch+json" => patch::json,
        "application/merge-patch+json" => patch::merge,
        "application/strategic-merge-patch+json" => patch::strategic,
        "application/apply-patch+yaml" => return super::apply::run(call).await,
        _ => return Err(unsupported_patch()),
    };
    let options = WriteOptions::read(call.query, "PatchOptions")?;
    if call.query.has("force") {
        let mut errors = FieldErrors::new();
        errors.forbidden("force", "may not be specified for non-apply patch");
        return Err(StatusError::invalid("meta.k8s.io", "PatchOptions", "", &errors));
    }
    negotiate::wanted(call.head.accept)?;
    for _ in 0..write::TRIES {
        let current = Current::read(call)?;
        let (new, mut warnings) = patched(call, &current, apply, &options)?;
        let uid = new.pointer("/metadata/uid").and_then(Value::as_str).unwrap_or_default();
        if !uid.is_empty() && Some(uid) != current.object.pointer("/metadata/uid").and_then(Value::as_str) {
            let mut errors = FieldErrors::new();
            for _ in 0..2 {
                errors.invalid("metadata.uid", &uid.into(), "field is immutable");
            }
            return Err(StatusError::invalid(&call.resource.group, &call.resource.kind, &call.at.name, &errors));
        }
        let insists = check_preconditions(call, &new, &current)?
            && new.pointer("/metadata/resourceVersion") != current.object.pointer("/metadata/resourceVersion");
        warnings.extend(call.resource.strategy.warnings(&new, Some(&current.object)));
        match write::replace(call, &current, new, &options, Tracking::Compare).await {
            Err(error) if error.to_string().ends_with(CHANGED) && !insists => {}
            other => return write::answer(call, 200, &other?, warnings),
        }
    }
    Err(call.conflict(CHANGED))
}

fn patched(
    call: &Call<'_>,
    current: &Current,
    apply: Patch,
    options: &WriteOptions,
) -> Result<(Value, Vec<String>), StatusError> {
    let schema = call.schema()?;
    let patched = apply(schema, &current.object, &call.body).map_err(|error| refusal(&error))?;
    if options.validation == FieldValidation::Strict
        && let Some(error) = patched.strict_error()
    {
        return Err(refusal(&error));
    }
    let warnings = if options.validation == FieldValidation::Warn { patched.strict } else { Vec::new() };
    let mut new = patched.value;
    same_kind(call, &new)?;
    schema.default(&mut new);
    call.resource.strategy.defaults(&mut new);
    metadata::same_name(&new, &call.at.name)?;
    metadata::place(&mut new, call.namespace())?;
    Ok((new, warnings))
}

/// A patch cannot make an object another kind's.
fn same_kind(call: &Call<'_>, new: &Value) -> Result<(), StatusError> {
    let text = |field: &str| new.get(field).and_then(Value::as_str).unwrap_or_default();
    let (version, kind) = (text("apiVersion"), text("kind"));
    let why = if version != &*call.resource.api_version && !version.is_empty() {
        format!("no kind \"{kind}\" is registered for version \"{version}\"")
    } else if kind != &*call.resource.kind && !kind.is_empty() {
        format!("converting (v1.{kind}) to (core.{}): unknown conversion", call.resource.kind)
    } else {
        return Ok(());
    };
    let mut errors = FieldErrors::new();
    errors.invalid_verbatim("patch", quote(&new.to_string()), why);
    Err(StatusError::invalid("", "", "", &errors))
}

fn refusal(error: &PatchError) -> StatusError {
    match error {
        PatchError::Bad(text) => StatusError::bad_request(text),
        PatchError::TooLarge(text) => {
            StatusError::new(413, "RequestEntityTooLarge", format!("Request entity too large: {text}"))
        }
        PatchError::Unprocessable(_) => {
            StatusError::new(422, "Invalid", "the server rejected our request due to an error in our request")
                .with(crate::status::Details::default())
        }
        PatchError::Invalid { shown, detail } => {
            let mut errors = FieldErrors::new();
            errors.invalid_verbatim("patch", quote(shown), detail);
            StatusError::invalid("", "", "", &errors)
        }
        PatchError::Internal(text) => StatusError::unexplained(text),
    }
}
