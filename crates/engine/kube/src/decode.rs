//! From the bytes of a body to an object of a resource, with upstream's words for what is wrong.

use std::borrow::Cow;
use std::sync::Arc;

use eksile_yaml::Read;
use serde_json::Value;

use crate::call::Call;
use crate::negotiate::{self, unsupported_media};
use crate::query::FieldValidation;
use crate::resource::Resource;
use crate::status::StatusError;
use eksile_apimachinery::schema::{DecodeError, Untyped};

/// Media types that a body may have.
const ACCEPTED: &str = "application/json, application/yaml, application/vnd.kubernetes.protobuf";

/// The media type of Kubernetes' protobuf.
const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";

/// Why a body is not JSON.
enum Unread {
    Media,
    Yaml(String),
}

/// A body as JSON.
struct Json<'b> {
    text: Cow<'b, [u8]>,
    /// What it was, if it was YAML.
    yaml: Option<Read>,
}

fn json<'b>(media: &str, body: &'b [u8]) -> Result<Json<'b>, Unread> {
    match media {
        "application/json" => Ok(Json { text: body.into(), yaml: None }),
        "application/yaml" => {
            let read = eksile_yaml::read(body).map_err(Unread::Yaml)?;
            let json = serde_json::to_vec(&read.value).map_err(|e| Unread::Yaml(e.to_string()))?;
            Ok(Json { text: json.into(), yaml: Some(read) })
        }
        _ => Err(Unread::Media),
    }
}

/// The body of a call as a tree, whatever its form, without regard to a type.
///
/// # Errors
/// 400 or 415.
pub(crate) fn tree(call: &Call<'_>) -> Result<Value, StatusError> {
    let media = negotiate::media(call.head.content_type);
    if media == PROTOBUF {
        return protobuf(call);
    }
    let Json { text: body, .. } = json(media, &call.body).map_err(|unread| match unread {
        Unread::Media => unsupported_media(ACCEPTED),
        Unread::Yaml(text) => StatusError::bad_request(format!("error converting YAML to JSON: {text}")),
    })?;
    Untyped::parse(&body).map(|read| read.value).map_err(StatusError::bad_request)
}

/// The options in the body of a delete. Upstream tells what is wrong with them without a reason.
///
/// # Errors
/// 415 or 500.
pub(crate) fn delete_options(call: &Call<'_>) -> Result<Value, StatusError> {
    let media = negotiate::media(call.head.content_type);
    if media == PROTOBUF {
        return protobuf(call);
    }
    let Json { text: body, .. } = json(media, &call.body).map_err(|unread| match unread {
        Unread::Media => unsupported_media(ACCEPTED),
        Unread::Yaml(text) => StatusError::unexplained(text),
    })?;
    let schemas = &call.door.schemas;
    let schema = schemas.kind("v1", "DeleteOptions").and_then(|id| schemas.schema(&schemas.get(id).name));
    let schema = schema.ok_or_else(|| StatusError::internal("no schema of DeleteOptions"))?;
    schema.decode(&body).map(|decoded| decoded.value).map_err(|error| StatusError::unexplained(error.to_string()))
}

fn protobuf(call: &Call<'_>) -> Result<Value, StatusError> {
    call.door.schemas.decode_protobuf(&call.body).map_err(|e| StatusError::bad_request(e.to_string()))
}

/// Who a body says it is; missing parts are the request's.
struct Claimed {
    api_version: String,
    kind: String,
}

/// Decodes the body of a call as one of its resource, defaults filled in, and reports what a strict reader has against
/// it: refused under [`FieldValidation::Strict`], else said beside the answer.
///
/// # Errors
/// 400 as upstream words it, 415.
pub(crate) fn object(call: &Call<'_>, validation: FieldValidation) -> Result<Value, StatusError> {
    let (resource, schema) = (call.resource.as_ref(), call.schema()?);
    let media = negotiate::media(call.head.content_type);
    let (mut value, strict, yaml) = if media == PROTOBUF {
        (protobuf(call)?, Vec::new(), None)
    } else {
        let Json { text: body, yaml } = json(media, &call.body).map_err(|unread| match unread {
            Unread::Media => unsupported_media(ACCEPTED),
            Unread::Yaml(text) => unrecognized(resource, &call.body, &text),
        })?;
        let decoded = schema.decode(&body).map_err(|error| match claimed(resource, &body) {
            Some(other) => other_kind(call, &other, &body),
            None => refusal(resource, &body, &error),
        })?;
        (decoded.value, decoded.strict, yaml)
    };
    check_kind(call, &mut value)?;
    match validation {
        FieldValidation::Ignore => {}
        FieldValidation::Warn => call.warnings.say(yaml.into_iter().flat_map(|read| read.repeated).chain(strict)),
        FieldValidation::Strict => {
            let told: Vec<String> = yaml.iter().filter_map(Read::strict_error).chain(strict).collect();
            if !told.is_empty() {
                return Err(cannot_be_handled(resource, &format!("strict decoding error: {}", told.join(", "))));
            }
        }
    }
    schema.default(&mut value);
    resource.strategy.defaults(&mut value);
    Ok(value)
}

fn cannot_be_handled(resource: &Resource, why: &str) -> StatusError {
    let (kind, version) = (&resource.kind, &resource.version);
    StatusError::bad_request(format!("{kind} in version \"{version}\" cannot be handled as a {kind}: {why}"))
}

fn unrecognized(resource: &Resource, body: &[u8], why: &str) -> StatusError {
    let (kind, begins) = (&resource.kind, summary(body));
    StatusError::bad_request(format!("the object provided is unrecognized (must be of type {kind}): {why} ({begins})"))
}

fn refusal(resource: &Resource, body: &[u8], error: &DecodeError) -> StatusError {
    match error {
        DecodeError::Interpret(_) => unrecognized(resource, body, &error.to_string()),
        DecodeError::Type(_) => cannot_be_handled(resource, &error.to_string()),
    }
}

/// The beginning of a body, as upstream shows it in errors.
fn summary(body: &[u8]) -> String {
    const LENGTH: usize = 30;
    match body.first() {
        None => "<empty>".to_owned(),
        Some(b'{') if body.len() > LENGTH => format!("{} ...", String::from_utf8_lossy(&body[..LENGTH])),
        Some(b'{') => String::from_utf8_lossy(body).into_owned(),
        Some(_) => {
            let shown: String = body.iter().take(LENGTH).map(|b| format!("{b:02x}")).collect();
            if body.len() > LENGTH { format!("{shown} ...") } else { shown }
        }
    }
}

impl Claimed {
    fn read(resource: &Resource, value: &Value) -> Self {
        let text = |name: &str, instead: &str| match value.get(name).and_then(Value::as_str) {
            None | Some("") => instead.to_owned(),
            Some(text) => text.to_owned(),
        };
        Self { api_version: text("apiVersion", &resource.api_version), kind: text("kind", &resource.kind) }
    }

    fn is(&self, resource: &Resource) -> bool {
        self.api_version == *resource.api_version && self.kind == *resource.kind
    }
}

/// The kind that a body of JSON claims, when it is not the resource's.
fn claimed(resource: &Resource, body: &[u8]) -> Option<Claimed> {
    let read = Untyped::parse(body).ok()?;
    let claimed = Claimed::read(resource, &read.value);
    if claimed.is(resource) { None } else { Some(claimed) }
}

fn check_kind(call: &Call<'_>, value: &mut Value) -> Result<(), StatusError> {
    let claimed = Claimed::read(call.resource, value);
    if !claimed.is(call.resource) {
        return Err(other_kind(call, &claimed, &call.body));
    }
    if let Some(fields) = value.as_object_mut() {
        fields.insert("apiVersion".to_owned(), claimed.api_version.into());
        fields.insert("kind".to_owned(), claimed.kind.into());
    }
    Ok(())
}

/// What upstream says about an object of another kind.
fn other_kind(call: &Call<'_>, claimed: &Claimed, body: &[u8]) -> StatusError {
    let resource = call.resource.as_ref();
    let (api_version, kind) = (&claimed.api_version, &claimed.kind);
    if api_version.matches('/').count() > 1 {
        return unrecognized(resource, body, &mismatch(call, api_version, kind, body));
    }
    if sibling(call, api_version, kind).is_some() {
        return StatusError::bad_request(format!(
            "the API version in the data ({api_version}) does not match the expected API version ({})",
            resource.api_version
        ));
    }
    let version = api_version.rsplit('/').next().unwrap_or_default();
    let why = mismatch(call, api_version, kind, body);
    StatusError::bad_request(format!("{kind} in version {version:?} cannot be handled as a {}: {why}", resource.kind))
}

/// The resource of another group that shows the same objects under this version and kind.
pub(crate) fn sibling<'a>(call: &Call<'a>, api_version: &str, kind: &str) -> Option<&'a Arc<Resource>> {
    let same = |other: &&Arc<Resource>| {
        *other.api_version == *api_version && *other.kind == *kind && other.prefix == call.resource.prefix
    };
    call.door.resources.iter().find(same)
}

/// Why an object that claims to be of another kind cannot be one of the call's: upstream decodes it as what it claims to
/// be, then cannot convert it.
pub(crate) fn mismatch(call: &Call<'_>, api_version: &str, kind: &str, body: &[u8]) -> String {
    if api_version.matches('/').count() > 1 {
        return format!("unexpected GroupVersion string: {api_version}");
    }
    let version = api_version.rsplit('/').next().unwrap_or_default();
    let schemas = &call.door.schemas;
    let known = schemas.kind(api_version, kind).and_then(|id| schemas.schema(&schemas.get(id).name));
    match known.map(|schema| schema.decode(body)) {
        None => {
            format!(
                "no kind {kind:?} is registered for version {api_version:?} in scheme \"pkg/runtime/scheme.go:110\""
            )
        }
        Some(Err(error)) => error.to_string(),
        Some(Ok(_)) => format!("converting ({version}.{kind}) to ({}): unknown conversion", call.resource.go_type()),
    }
}
