//! Change parts of one object: JSON patch, merge patch, strategic merge patch. Apply has its own file.

use serde_json::Value;

use crate::answer::Answer;
use crate::call::Call;
use crate::decode;
use crate::field::{FieldErrors, quote};
use crate::metadata;
use crate::negotiate::{self, unsupported_patch};
use crate::object::convert;
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
        let new = patched(call, &current, apply, &options)?;
        let uid = new.pointer("/metadata/uid").and_then(Value::as_str).unwrap_or_default();
        if !uid.is_empty() && Some(uid) != current.object.pointer("/metadata/uid").and_then(Value::as_str) {
            let mut errors = FieldErrors::new();
            for _ in 0..2 {
                errors.invalid("metadata.uid", &uid.into(), "field is immutable");
            }
            return Err(call.invalid(&call.at.name, &errors));
        }
        let insists = check_preconditions(call, &new, &current)?
            && new.pointer("/metadata/resourceVersion") != current.object.pointer("/metadata/resourceVersion");
        match write::replace(call, &current, new, &options, Tracking::Compare).await {
            Err(error) if error.to_string().ends_with(CHANGED) && !insists => {}
            other => return write::answer(call, 200, &other?),
        }
    }
    Err(call.conflict(CHANGED))
}

fn patched(call: &Call<'_>, current: &Current, apply: Patch, options: &WriteOptions) -> Result<Value, StatusError> {
    let schema = call.schema()?;
    let patched = match apply(schema, &current.object, &call.body) {
        Err(PatchError::OtherKind(value)) => another(call, &value)?,
        other => other.map_err(|error| refusal(&error))?,
    };
    if options.validation == FieldValidation::Strict
        && let Some(error) = patched.strict_error()
    {
        return Err(refusal(&error));
    }
    if options.validation == FieldValidation::Warn {
        call.warnings.say(patched.strict);
    }
    let mut new = patched.value;
    new["kind"] = (*call.resource.kind).into();
    new["apiVersion"] = (*call.resource.api_version).into();
    schema.default(&mut new);
    call.resource.strategy.defaults(&mut new);
    metadata::same_name(&new, &call.at.name)?;
    metadata::place(&mut new, call.namespace())?;
    Ok(new)
}

/// What becomes of a patched object that claims to be of another kind.
fn another(call: &Call<'_>, value: &Value) -> Result<Patched, StatusError> {
    let text = |field: &str| value.get(field).and_then(Value::as_str).unwrap_or_default();
    let version = text("apiVersion");
    let kind = if text("kind").is_empty() { &*call.resource.kind } else { text("kind") };
    if version.is_empty() {
        // Upstream takes it for its internal type, whose fields have no names in JSON: nothing is left of the object.
        let fields = value.as_object().into_iter().flatten().map(|(name, _)| name.as_str());
        let unknown = fields.filter(|name| !matches!(*name, "apiVersion" | "kind"));
        let strict = unknown.map(|name| format!("unknown field {name:?}")).collect();
        return Ok(Patched::nothing(value, strict));
    }
    if let Some(sibling) = decode::sibling(call, version, kind) {
        let patched = Patched::of(call.door.schema(&sibling.schema)?, value).map_err(|error| refusal(&error))?;
        return Ok(patched.map(|object| convert(sibling, call.resource, object)));
    }
    let body = value.to_string();
    let mut errors = FieldErrors::new();
    errors.invalid_verbatim("patch", quote(&body), decode::mismatch(call, version, kind, body.as_bytes()));
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
        PatchError::OtherKind(_) => StatusError::internal(error),
        PatchError::Internal(text) => StatusError::unexplained(text),
    }
}
