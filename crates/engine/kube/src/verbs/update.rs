//! Replace one object.

use serde_json::Value;

use crate::answer::Answer;
use crate::call::Call;
use crate::decode;
use crate::metadata;
use crate::negotiate;
use crate::object::meta;
use crate::query::WriteOptions;
use crate::resource::Resource;
use crate::status::StatusError;
use crate::write::{self, CHANGED, Current, Tracking};

pub(super) async fn run(call: &Call<'_>) -> Result<Answer, StatusError> {
    let options = WriteOptions::read(call.query, "UpdateOptions")?;
    negotiate::wanted(call.head.accept)?;
    let mut object = decode::object(call, options.validation)?;
    metadata::same_name(&object, &call.at.name)?;
    metadata::place(&mut object, call.namespace())?;
    for _ in 0..write::TRIES {
        let current = match Current::read(call) {
            Err(error) if error.code() == 404 && !meta(&object, "uid").is_empty() => {
                let why = format!("UID in precondition: {}, UID in object meta: ", meta(&object, "uid"));
                return Err(call.conflict(&storage_error(call, &why)));
            }
            Err(error) if error.code() == 404 && creates(call) => {
                let done = write::create(call, object, &options, write::Tracking::Compare).await?;
                return write::answer(call, 201, &done);
            }
            other => other?,
        };
        let insists = check_preconditions(call, &object, &current)?;
        match write::replace(call, &current, object.clone(), &options, Tracking::Compare).await {
            Err(error) if error.reason() == "Conflict" && !insists => {}
            other => return write::answer(call, 200, &other?),
        }
    }
    Err(call.conflict(CHANGED))
}

/// Upstream's words for a precondition that the storage finds broken.
pub(super) fn storage_error(call: &Call<'_>, why: &str) -> String {
    let key = format!("/registry/{}/{}", upstream_prefix(call.resource), key_rest(call));
    format!(
        "StorageError: invalid object, Code: 4, Key: {key}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: {why}"
    )
}

/// Where upstream keeps objects of a built-in kind (`pkg/kubeapiserver/default_storage_factory_builder.go`).
fn upstream_prefix(resource: &Resource) -> &str {
    match resource.prefix.trim_end_matches('/').rsplit('/').next().unwrap_or_default() {
        "nodes" => "minions",
        "services" => "services/specs",
        plural => plural,
    }
}

fn key_rest(call: &Call<'_>) -> String {
    let namespace = call.namespace();
    if namespace.is_empty() { call.at.name.clone() } else { format!("{namespace}/{}", call.at.name) }
}

fn creates(call: &Call<'_>) -> bool {
    call.at.sub.is_empty() && call.resource.strategy.create_on_update()
}

/// Checks revision and uid of `new` against the stored object; says whether the writer insists on a revision.
pub(super) fn check_preconditions(call: &Call<'_>, new: &Value, current: &Current) -> Result<bool, StatusError> {
    let uid = meta(new, "uid");
    let own = meta(&current.object, "uid");
    if !uid.is_empty() && uid != own {
        return Err(
            call.conflict(&storage_error(call, &format!("UID in precondition: {uid}, UID in object meta: {own}")))
        );
    }
    match meta(new, "resourceVersion") {
        "" if call.resource.strategy.unconditional_update() => Ok(false),
        "" => {
            let mut errors = crate::field::FieldErrors::new();
            errors.invalid_verbatim("metadata.resourceVersion", "0x0", "must be specified for an update");
            Err(StatusError::invalid(&call.resource.group, &call.resource.plural, &call.at.name, &errors))
        }
        version if version.parse::<u64>().is_err() => Err(StatusError::unexplained(format!(
            "strconv.ParseUint: parsing {}: invalid syntax",
            crate::field::quote(version)
        ))),
        version if version == current.entry.modified.0.to_string() => Ok(true),
        _ => Err(call.conflict(CHANGED)),
    }
}
