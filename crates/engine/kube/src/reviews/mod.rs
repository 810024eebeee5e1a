//! Reviews: kinds that are asked and answered, never stored.

mod access;

use serde_json::{Value, json};

use crate::answer::Answer;
use crate::authorize::rbac::{not_there, together};
use crate::call::Call;
use crate::decode;
use crate::object::time;
use crate::query::WriteOptions;
use crate::status::StatusError;
use crate::strategy::{Cluster, PolicyRule, User};

/// Answers a review.
///
/// # Errors
/// What is wrong with it; 501 for one that is not built.
pub(crate) async fn run(call: &Call<'_>) -> Result<Answer, StatusError> {
    let options = WriteOptions::read(call.query, "CreateOptions")?;
    let mut review = decode::object(call, options.validation)?;
    if !matches!(&*call.resource.kind, "SelfSubjectReview" | "SelfSubjectRulesReview") {
        crate::metadata::place(&mut review, call.namespace())?;
        let name = crate::write::manager_name(call, &options);
        eksile_apimachinery::managed::update(call.schema()?, None, &mut review, &crate::write::manager(call, &name));
        call.schema()?.normalize(&mut review);
    }
    let status = match &*call.resource.kind {
        "SelfSubjectReview" => json!({ "userInfo": user_info(&call.caller.user) }),
        "SelfSubjectAccessReview" | "SubjectAccessReview" | "LocalSubjectAccessReview" => {
            access::status(call, &review)?
        }
        "SelfSubjectRulesReview" => rules(call, &review)?,
        "TokenReview" if text(&review, "/spec/token").is_empty() => {
            return Err(StatusError::bad_request("token is required for TokenReview in authentication"));
        }
        "TokenReview" => token(call, &review).await,
        other => return Err(StatusError::not_implemented(format!("{other} is not built"))),
    };
    review["status"] = status;
    if &*call.resource.kind == "SelfSubjectRulesReview" {
        // Upstream's answer does not repeat what was asked.
        review["spec"] = json!({});
    }
    if &*call.resource.kind == "SelfSubjectReview" {
        review["metadata"] = json!({ "creationTimestamp": time(call.now) });
    }
    Ok(Answer::value(201, &review))
}

fn user_info(user: &User) -> Value {
    let mut info = json!({ "username": user.name });
    if !user.uid.is_empty() {
        info["uid"] = user.uid.as_str().into();
    }
    if !user.groups.is_empty() {
        info["groups"] = user.groups.clone().into();
    }
    if !user.extra.is_empty() {
        info["extra"] = user.extra.iter().map(|(k, v)| (k.clone(), Value::from(v.clone()))).collect();
    }
    info
}

fn text<'a>(value: &'a Value, path: &str) -> &'a str {
    value.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

fn list(value: &Value, path: &str) -> Vec<String> {
    let found = value.pointer(path).and_then(Value::as_array);
    found.into_iter().flatten().filter_map(|v| v.as_str().map(str::to_owned)).collect()
}

fn rules(call: &Call<'_>, review: &Value) -> Result<Value, StatusError> {
    let namespace = text(review, "/spec/namespace");
    if namespace.is_empty() {
        return Err(StatusError::bad_request("no namespace on request"));
    }
    let held = Cluster::rules(call.door.as_ref(), &call.caller.user, namespace);
    let (paths, resources): (Vec<PolicyRule>, Vec<PolicyRule>) =
        held.rules.into_iter().partition(|rule| !rule.non_resource_urls.is_empty());
    let mut status = json!({ "resourceRules": resources, "nonResourceRules": paths, "incomplete": false });
    let missing: Vec<String> = held.missing.iter().map(|(kind, name)| not_there(kind, name)).collect();
    if !missing.is_empty() {
        status["evaluationError"] = together(&missing).into();
    }
    Ok(status)
}

async fn token(call: &Call<'_>, review: &Value) -> Value {
    match call.door.tokens.review(text(review, "/spec/token"), &list(review, "/spec/audiences")).await {
        Ok(bearer) => json!({
            "authenticated": true, "user": user_info(&bearer.caller.user), "audiences": bearer.audiences
        }),
        Err(error) => json!({ "user": {}, "error": error }),
    }
}
