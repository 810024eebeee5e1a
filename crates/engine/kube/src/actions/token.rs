//! `serviceaccounts/token`: a signed token for a service account, possibly bound to a pod, node or secret.

use jiff::ToSpan;
use serde_json::{Value, json};

use crate::admit;
use crate::answer::Answer;
use crate::call::Call;
use crate::decode;
use crate::field::FieldErrors;
use crate::metadata;
use crate::object::{self, meta, time};
use crate::query::{FieldValidation, WriteOptions};
use crate::references::text;
use crate::status::StatusError;
use crate::tokens::{Bound, Claims};
use crate::write;
use eksile_apimachinery::managed::{self, Manager};
use eksile_apimachinery::schema::Schema;

/// What is asked and answered.
const KIND: &str = "TokenRequest";
const VERSION: &str = "authentication.k8s.io/v1";

/// Shortest life, seconds.
const SHORTEST: i64 = 600;
/// Life when none is asked for, seconds.
const USUAL: i64 = 3600;
/// Longest life that the API takes, seconds.
const LONGEST: i64 = 1 << 32;

pub(super) fn run(call: &Call<'_>) -> Result<Answer, StatusError> {
    let door = call.door;
    let Some(issuer) = &door.issuer else {
        return Err(StatusError::not_implemented("this server signs no service-account tokens"));
    };
    let schema = door.schemas.schema("io.k8s.api.authentication.v1.TokenRequest");
    let schema = schema.ok_or_else(|| StatusError::internal("no schema for TokenRequest"))?;
    let options = WriteOptions::read(call.query, "CreateOptions")?;
    let body = serde_json::to_vec(&decode::tree(call)?).map_err(StatusError::internal)?;
    let decoded = schema.decode(&body).map_err(|e| StatusError::bad_request(e.to_string()))?;
    if options.validation == FieldValidation::Strict
        && let Some(error) = decoded.strict_error()
    {
        return Err(StatusError::bad_request(error));
    }
    let mut request = decoded.value;
    schema.default(&mut request);
    let life = &mut request["spec"]["expirationSeconds"];
    if life.is_null() {
        *life = USUAL.into();
    }
    metadata::clean(&mut request, call.warnings);
    metadata::place(&mut request, &call.at.namespace)?;
    admit::action(call, &request)?;
    note_writer(call, &schema, &mut request, &options);
    let named = meta(&request, "name");
    if !named.is_empty() && named != call.at.name {
        let mut errors = FieldErrors::new();
        errors.invalid("metadata.name", &named.into(), "must match the service account name if specified");
        return Err(StatusError::invalid("authentication.k8s.io", KIND, &call.at.name, &errors));
    }
    let account = door
        .stored(&call.resource.prefix, &format!("{}/{}", call.at.namespace, call.at.name))
        .ok_or_else(|| call.not_found())?;
    let seconds = lifetime(&request)?;
    let audiences = audiences(&request, &door.settings.issuer);
    let bound = bound(call, &request)?;
    let seconds = shortened(call, seconds);
    request["spec"]["expirationSeconds"] = seconds.into();
    let expires = call.now.checked_add(seconds.seconds()).map_err(StatusError::internal)?;
    let claims = Claims {
        namespace: call.at.namespace.clone(),
        account: call.at.name.clone(),
        account_uid: meta(&account, "uid").to_owned(),
        audiences: audiences.clone(),
        issued: call.now.as_second(),
        expires: expires.as_second(),
        bound,
    };
    let token = issuer.issue(&door.settings.issuer, &claims).map_err(StatusError::internal)?;
    let fields = object::metadata(&mut request);
    fields.remove("uid");
    fields.insert("name".to_owned(), call.at.name.as_str().into());
    fields.insert("creationTimestamp".to_owned(), time(call.now).into());
    request["kind"] = KIND.into();
    request["apiVersion"] = VERSION.into();
    request["spec"]["audiences"] = audiences.into();
    request["status"] = json!({ "token": token, "expirationTimestamp": time(expires) });
    Ok(Answer::value(201, &request))
}

/// Notes who wrote the request, though it is not stored.
fn note_writer(call: &Call<'_>, schema: &Schema, request: &mut Value, options: &WriteOptions) {
    let name = write::manager_name(call, options);
    let manager = Manager { api_version: VERSION, reset: &[], ..write::manager(call, &name) };
    managed::update(schema, None, request, &manager);
    schema.normalize(request);
}

fn lifetime(request: &Value) -> Result<i64, StatusError> {
    let seconds = request.pointer("/spec/expirationSeconds").and_then(Value::as_i64).unwrap_or_default();
    let mut errors = FieldErrors::new();
    if seconds < SHORTEST {
        errors.invalid("spec.expirationSeconds", &seconds.into(), "may not specify a duration less than 10 minutes");
    }
    if seconds > LONGEST {
        errors.invalid(
            "spec.expirationSeconds",
            &seconds.into(),
            "may not specify a duration larger than 2^32 seconds",
        );
    }
    if errors.is_empty() { Ok(seconds) } else { Err(StatusError::invalid("authentication.k8s.io", KIND, "", &errors)) }
}

/// No token outlives [`Settings::longest_token`](crate::Settings::longest_token); who asks for more is told.
fn shortened(call: &Call<'_>, seconds: i64) -> i64 {
    let Some(longest) = call.door.settings.longest_token.filter(|longest| seconds > *longest) else { return seconds };
    call.warnings.say([format!("requested expiration of {seconds} seconds shortened to {longest} seconds")]);
    longest
}

fn audiences(request: &Value, usual: &str) -> Vec<String> {
    let list = request.pointer("/spec/audiences").and_then(Value::as_array);
    let given: Vec<String> = list.into_iter().flatten().filter_map(|v| v.as_str().map(str::to_owned)).collect();
    if given.is_empty() { vec![usual.to_owned()] } else { given }
}

/// The object that the token lives and dies with.
fn bound(call: &Call<'_>, request: &Value) -> Result<Option<Bound>, StatusError> {
    let Some(reference) = request.pointer("/spec/boundObjectRef").filter(|r| r.is_object()) else { return Ok(None) };
    let given = |name: &str| reference.get(name).and_then(Value::as_str).unwrap_or_default();
    let (kind, name, uid) = (given("kind"), given("name"), given("uid"));
    let (group, version) = given("apiVersion").rsplit_once('/').unwrap_or(("", given("apiVersion")));
    let (plural, rest) = match (group, kind) {
        ("", "Pod") => ("pods", format!("{}/{name}", call.at.namespace)),
        ("", "Secret") => ("secrets", format!("{}/{name}", call.at.namespace)),
        ("", "Node") => ("nodes", name.to_owned()),
        _ => {
            let why = format!("cannot bind token to object of type {group}/{version}, Kind={kind}");
            return Err(StatusError::bad_request(why));
        }
    };
    let object = call.door.stored(&format!("/registry/{plural}/"), &rest);
    let object = object.ok_or_else(|| StatusError::not_found("", plural, name))?;
    if kind == "Pod" && text(&object, "/spec/serviceAccountName") != call.at.name {
        return Err(StatusError::bad_request(format!(
            "cannot bind token for serviceaccount {:?} to pod running with different serviceaccount name.",
            call.at.name
        )));
    }
    let own = meta(&object, "uid").to_owned();
    if !uid.is_empty() && uid != own {
        let why = format!(
            "the UID in the bound object reference ({uid}) does not match the UID in record. The object might have been deleted and then recreated"
        );
        return Err(StatusError::conflict("", kind, name, &why));
    }
    let node = if kind == "Pod" { text(&object, "/spec/nodeName").to_owned() } else { String::new() };
    let there = call.door.stored("/registry/nodes/", &node).filter(|_| !node.is_empty());
    let node_uid = there.map(|node| meta(&node, "uid").to_owned()).unwrap_or_default();
    Ok(Some(Bound { kind: kind.to_owned(), name: name.to_owned(), uid: own, node, node_uid }))
}
