//! Server-side apply: a configuration, merged by who manages what.

use serde_json::Value;

use crate::answer::Answer;
use crate::call::Call;
use crate::field::FieldErrors;
use crate::metadata;
use crate::negotiate;
use crate::object::meta;
use crate::query::{FieldValidation, WriteOptions};
use crate::status::{Cause, Details, StatusError};
use crate::verbs::update::check_preconditions;
use crate::write::{self, CHANGED, Current, Tracking};
use eksile_apimachinery::managed::{self, ApplyError};
use eksile_apimachinery::schema::shape;

/// How upstream's YAML library begins its errors.
const CONVERTING: &str = "error converting YAML to JSON";

pub(super) async fn run(call: &Call<'_>) -> Result<Answer, StatusError> {
    let options = WriteOptions::read(call.query, "PatchOptions")?;
    if options.field_manager.is_empty() {
        let mut errors = FieldErrors::new();
        errors.required("fieldManager", "is required for apply patch");
        return Err(StatusError::invalid("meta.k8s.io", "PatchOptions", "", &errors));
    }
    negotiate::wanted(call.head.accept)?;
    let config = Config::read(&call.body)?;
    for _ in 0..write::TRIES {
        let current = match Current::read(call) {
            Err(error) if error.code() == 404 && call.at.sub.is_empty() => {
                return create(call, &config, &options).await;
            }
            other => other?,
        };
        let new = merged(call, Some(&current.object), &config.value, &options)?;
        call.warnings.say(config.judge(options.validation)?);
        let insists = check_preconditions(call, &new, &current)? && !meta(&config.value, "resourceVersion").is_empty();
        match write::replace(call, &current, new, &options, Tracking::Done).await {
            Err(error) if error.to_string().ends_with(CHANGED) && !insists => {}
            other => return write::answer(call, 200, &other?),
        }
    }
    Err(call.conflict(CHANGED))
}

/// The configuration of the body, and what a strict reader has against it: as an error, and as warnings.
struct Config {
    value: Value,
    strict: Option<String>,
    repeated: Vec<String>,
}

impl Config {
    fn read(body: &[u8]) -> Result<Self, StatusError> {
        let refuse = |why: String| StatusError::bad_request(format!("error decoding YAML: {why}"));
        let read = eksile_yaml::read(body).map_err(|text| refuse(format!("{CONVERTING}: {text}")))?;
        let strict = read.strict_error();
        let value = match read.value {
            Value::Null => Value::Object(serde_json::Map::new()),
            value @ Value::Object(_) => value,
            other => {
                let found = shape(&other);
                return Err(refuse(format!(
                    "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {found} into Go value of type \
                     map[string]interface {{}}"
                )));
            }
        };
        Ok(Self { value, strict, repeated: read.repeated })
    }

    /// What a strict reader says, as a warning or as a refusal.
    fn judge(&self, validation: FieldValidation) -> Result<Vec<String>, StatusError> {
        match (&self.strict, validation) {
            (Some(text), FieldValidation::Strict) => {
                Err(StatusError::bad_request(format!("error strict decoding YAML: {CONVERTING}: {text}")))
            }
            (_, FieldValidation::Warn) => Ok(self.repeated.clone()),
            _ => Ok(Vec::new()),
        }
    }
}

async fn create(call: &Call<'_>, config: &Config, options: &WriteOptions) -> Result<Answer, StatusError> {
    if !meta(&config.value, "uid").is_empty() {
        let uid = meta(&config.value, "uid");
        return Err(call.conflict(&format!(
            "uid mismatch: the provided object specified uid {uid}, and no existing object was found"
        )));
    }
    let mut object = merged(call, None, &config.value, options)?;
    call.warnings.say(config.judge(options.validation)?);
    metadata::place(&mut object, call.namespace())?;
    let done = write::create(call, object, options, Tracking::Done).await?;
    write::answer(call, 201, &done)
}

fn merged(call: &Call<'_>, live: Option<&Value>, config: &Value, options: &WriteOptions) -> Result<Value, StatusError> {
    let schema = call.schema()?;
    let name = write::manager_name(call, options);
    let manager = write::manager(call, &name);
    let applied = managed::apply(schema, live, config, &call.resource.kind, &manager, options.force);
    let mut new = applied.map_err(|error| refusal(&error))?.value;
    schema.default(&mut new);
    call.resource.strategy.defaults(&mut new);
    metadata::same_name(&new, &call.at.name)?;
    metadata::place(&mut new, call.namespace())?;
    Ok(new)
}

fn refusal(error: &ApplyError) -> StatusError {
    match error {
        ApplyError::Bad(text) => StatusError::bad_request(text),
        ApplyError::Internal(text) => StatusError::new(500, "", text),
        ApplyError::Conflicts(conflicts) => {
            let causes = conflicts.causes.iter().map(|(manager, path)| Cause {
                reason: "FieldManagerConflict".to_owned(),
                message: format!("conflict with {manager}"),
                field: path.clone(),
            });
            StatusError::new(409, "Conflict", conflicts.message())
                .with(Details { causes: causes.collect(), ..Details::default() })
        }
    }
}
