//! From the bytes of a body to an object of a resource, with upstream's words for what is wrong.

use serde_json::Value;

use crate::call::Call;
use crate::negotiate::{self, unsupported_media};
use crate::query::FieldValidation;
use crate::resource::Resource;
use crate::schema::DecodeError;
use crate::status::StatusError;

/// Media types that a body may have.
const ACCEPTED: &str = "application/json, application/yaml, application/vnd.kubernetes.protobuf";

/// The media type of Kubernetes' protobuf.
const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";

/// A body as JSON: YAML is converted.
///
/// # Errors
/// 415 for other media types, 400 for broken YAML.
fn json<'b>(media: &str, body: &'b [u8]) -> Result<std::borrow::Cow<'b, [u8]>, StatusError> {
    match media {
        "application/json" => Ok(body.into()),
        "application/yaml" | "application/x-yaml" => yaml(body).map(Into::into),
        _ => Err(unsupported_media(ACCEPTED)),
    }
}

/// YAML as JSON.
///
/// # Errors
/// 400 for broken YAML.
pub fn yaml(body: &[u8]) -> Result<Vec<u8>, StatusError> {
    let refuse = |error: String| StatusError::bad_request(format!("error converting YAML to JSON: yaml: {error}"));
    let value: Value = serde_yaml_ng::from_slice(body).map_err(|e| refuse(e.to_string()))?;
    serde_json::to_vec(&value).map_err(|e| refuse(e.to_string()))
}

/// The body of a call as a tree, whatever its form, without regard to a type (options, patches).
///
/// # Errors
/// 400 or 415.
pub fn tree(call: &Call<'_>) -> Result<Value, StatusError> {
    let media = negotiate::media(call.head.content_type);
    if media == PROTOBUF {
        return protobuf(call);
    }
    let body = json(media, &call.body)?;
    serde_json::from_slice(&body).map_err(|e| StatusError::bad_request(e.to_string()))
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
/// it: refused under [`FieldValidation::Strict`], else warnings.
///
/// # Errors
/// 400 as upstream words it, 415.
pub fn object(call: &Call<'_>, validation: FieldValidation) -> Result<(Value, Vec<String>), StatusError> {
    let (resource, schema) = (call.resource.as_ref(), call.schema()?);
    let media = negotiate::media(call.head.content_type);
    let (mut value, strict) = if media == PROTOBUF {
        (protobuf(call)?, Vec::new())
    } else {
        let body = json(media, &call.body)?;
        let decoded = schema.decode(&body).map_err(|error| refusal(resource, &body, &error))?;
        (decoded.value, decoded.strict)
    };
    check_kind(resource, &mut value, &call.body)?;
    let warnings = match validation {
        FieldValidation::Strict if !strict.is_empty() => {
            let text = format!("strict decoding error: {}", strict.join(", "));
            return Err(cannot_be_handled(resource, &text));
        }
        FieldValidation::Warn => strict,
        _ => Vec::new(),
    };
    schema.default(&mut value);
    resource.strategy.defaults(&mut value);
    Ok((value, warnings))
}

fn cannot_be_handled(resource: &Resource, why: &str) -> StatusError {
    let (kind, version) = (&resource.kind, &resource.version);
    StatusError::bad_request(format!("{kind} in version \"{version}\" cannot be handled as a {kind}: {why}"))
}

fn refusal(resource: &Resource, body: &[u8], error: &DecodeError) -> StatusError {
    match error {
        DecodeError::Interpret(_) => StatusError::bad_request(format!(
            "the object provided is unrecognized (must be of type {}): {error} ({})",
            resource.kind,
            summary(body)
        )),
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

fn check_kind(resource: &Resource, value: &mut Value, body: &[u8]) -> Result<(), StatusError> {
    let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut claimed = Claimed { api_version: text("apiVersion"), kind: text("kind") };
    if claimed.api_version.is_empty() {
        resource.api_version.as_ref().clone_into(&mut claimed.api_version);
    }
    if claimed.kind.is_empty() {
        resource.kind.as_ref().clone_into(&mut claimed.kind);
    }
    if claimed.api_version == *resource.api_version && claimed.kind == *resource.kind {
        if let Some(fields) = value.as_object_mut() {
            fields.insert("apiVersion".to_owned(), claimed.api_version.into());
            fields.insert("kind".to_owned(), claimed.kind.into());
        }
        return Ok(());
    }
    let version = claimed.api_version.rsplit('/').next().unwrap_or_default();
    if claimed.api_version.matches('/').count() > 1 {
        return Err(StatusError::bad_request(format!(
            "the object provided is unrecognized (must be of type {}): unexpected GroupVersion string: {} ({})",
            resource.kind,
            claimed.api_version,
            summary(body)
        )));
    }
    Err(StatusError::bad_request(format!(
        "{} in version \"{version}\" cannot be handled as a {}: no kind \"{}\" is registered for version \"{}\"",
        claimed.kind, resource.kind, claimed.kind, claimed.api_version,
    )))
}
