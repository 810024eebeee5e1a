//! Paths that are not about a resource: health, version, discovery, documents.

use std::sync::Arc;

use http::Method;
use serde_json::json;

use crate::answer::Answer;
use crate::discovery::{one_group, one_version};
use crate::door::{Door, Run};
use crate::locate::{PathRequest, ResourceRequest};
use crate::negotiate;
use crate::openapi::Form;
use crate::resources::Resources;
use crate::route::nothing_there;
use crate::status::StatusError;

/// What upstream's mux says about a path that it does not know.
#[must_use]
pub(crate) fn not_found() -> Answer {
    Answer::text(404, "404 page not found\n")
}

/// A resource that is not there: a group that is served says so in a `Status`.
///
/// # Errors
/// 404 for a known group.
pub(crate) fn no_such_resource(resources: &Resources, at: &ResourceRequest) -> Result<Answer, StatusError> {
    if at.form.rooted { unknown(resources, &at.group) } else { Ok(not_found()) }
}

fn unknown(resources: &Resources, group: &str) -> Result<Answer, StatusError> {
    if resources.iter().any(|r| &*r.group == group) { Err(nothing_there()) } else { Ok(not_found()) }
}

/// Answers a request about a path.
///
/// # Errors
/// The `Status` to answer.
pub(crate) async fn answer(door: &Arc<Door>, at: &PathRequest, request: &Run<'_>) -> Result<Answer, StatusError> {
    if !matches!(*request.method, Method::GET | Method::HEAD) {
        let read_only = matches!(at.path.as_str(), "/version" | "/version/" | "/api" | "/apis");
        return if read_only { Err(StatusError::method_not_allowed()) } else { Ok(not_found()) };
    }
    let path = at.path.trim_end_matches('/');
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    let found = match segments[..] {
        ["api"] => Some(door.discovery.root(request.head.accept, true)),
        ["apis"] => Some(door.discovery.root(request.head.accept, false)),
        ["apis", group] => one_group(&door.resources, group),
        ["api", version] if !door.resources.has("", version) => return unknown(&door.resources, ""),
        ["api", version] => one_version(&door.resources, "", version),
        ["apis", group, version] if !door.resources.has(group, version) => {
            return unknown(&door.resources, group);
        }
        ["apis", group, version] => one_version(&door.resources, group, version),
        ["openapi", "v2"] => Some(document_v2(door, request.head.accept)),
        ["openapi", "v3"] => Some(Answer::json(200, door.openapi_index())),
        ["openapi", "v3", ..] => document(door, path),
        ["openid", "v1", "jwks"] => keys(door)?,
        [".well-known", "openid-configuration"] => Some(openid(door)),
        ["version"] => {
            negotiate::json_alone(request.head.accept)?;
            Some(version(door))
        }
        [endpoint @ ("healthz" | "livez" | "readyz"), ref checks @ ..] => health(door, endpoint, checks, request).await,
        [] | [""] => Some(paths(door)),
        _ => None,
    };
    Ok(found.unwrap_or_else(not_found))
}

/// One group version's OpenAPI document.
fn document(door: &Door, path: &str) -> Option<Answer> {
    let path = path.strip_prefix("/openapi/v3/")?;
    let document = door.openapi(|source| source.document(path))?;
    let mut answer = Answer::json(200, document.body);
    answer.etag = Some(document.hash);
    Some(answer)
}

/// The media type by which client-go asks for protobuf, and the one that answers it.
const GNOSTIC: (&str, &str) = (
    "application/com.github.proto-openapi.spec.v2@v1.0+protobuf",
    "application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
);

/// All of it in OpenAPI v2; 406 without a body where neither form is wanted.
fn document_v2(door: &Door, accept: Option<&str>) -> Answer {
    let media = accept.unwrap_or("*/*").split(',').map(|one| one.split(';').next().unwrap_or_default().trim());
    let mut form = media.filter_map(|one| match one {
        "application/json" | "application/*" | "*/*" => Some(Form::Json),
        one if one == GNOSTIC.0 || one == GNOSTIC.1 => Some(Form::Protobuf),
        _ => None,
    });
    let Some(form) = form.next() else { return Answer::nothing(406) };
    let document = door.openapi(|source| source.v2(form));
    let mut answer = Answer::json(200, document.body);
    if form == Form::Protobuf {
        answer.content = GNOSTIC.1;
    }
    answer.etag = Some(document.hash);
    answer
}

/// The keys that sign service-account tokens.
fn keys(door: &Door) -> Result<Option<Answer>, StatusError> {
    let Some(issuer) = &door.issuer else { return Ok(None) };
    let mut answer = Answer::value(200, &issuer.keys().map_err(StatusError::internal)?);
    answer.content = "application/jwk-set+json";
    Ok(Some(answer))
}

fn openid(door: &Door) -> Answer {
    let issuer = &door.settings.issuer;
    Answer::value(
        200,
        &json!({
            "issuer": issuer, "jwks_uri": format!("{issuer}/openid/v1/jwks"), "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["RS256"]
        }),
    )
}

fn version(door: &Door) -> Answer {
    let version = &door.settings.version;
    let mut document = json!({
        "major": version.major, "minor": version.minor, "emulationMajor": version.major, "emulationMinor": version.minor,
        "gitVersion": version.git, "gitCommit": "", "gitTreeState": "", "buildDate": "", "goVersion": "",
        "compiler": "rustc", "platform": "linux/amd64"
    });
    // A minor release gets on with the one before.
    if let Some(before) = version.minor.parse::<u32>().ok().and_then(|minor| minor.checked_sub(1)) {
        document["minCompatibilityMajor"] = version.major.as_str().into();
        document["minCompatibilityMinor"] = before.to_string().into();
    }
    Answer::value(200, &document)
}

fn paths(door: &Door) -> Answer {
    let mut list = vec!["/api".to_owned(), "/api/v1".to_owned(), "/apis".to_owned()];
    for (group, versions) in door.resources.groups() {
        if !group.is_empty() {
            list.push(format!("/apis/{group}"));
            list.extend(versions.iter().map(|v| format!("/apis/{group}/{v}")));
        }
    }
    list.extend(
        ["/healthz", "/livez", "/openapi/v2", "/openapi/v3", "/openid/v1/jwks", "/readyz", "/version"]
            .map(str::to_owned),
    );
    list.sort();
    Answer::value(200, &json!({ "paths": list }))
}

/// Health is asked of the parts that can fail: the door itself answers `ping`, the store must take a transaction.
async fn health(door: &Door, endpoint: &str, checks: &[&str], request: &Run<'_>) -> Option<Answer> {
    let store =
        door.store.write(|_| Ok::<(), std::convert::Infallible>(())).await.map(|_| ()).map_err(|e| e.to_string());
    let all: [(&str, Result<(), String>); 2] = [("ping", Ok(())), ("store", store)];
    let excluded: Vec<&str> = request.query.all("exclude").collect();
    let chosen: Vec<_> = all
        .into_iter()
        .filter(|(name, _)| checks.is_empty() || checks == [*name])
        .filter(|(name, _)| !excluded.contains(name))
        .collect();
    if !checks.is_empty() && chosen.is_empty() {
        return None;
    }
    let failed = chosen.iter().any(|(_, result)| result.is_err());
    if !failed && !request.query.has("verbose") {
        return Some(Answer::text(200, "ok"));
    }
    let mut lines = String::new();
    for (name, result) in &chosen {
        match result {
            Ok(()) => lines.push_str(&format!("[+]{name} ok\n")),
            Err(_) => lines.push_str(&format!("[-]{name} failed: reason withheld\n")),
        }
    }
    lines.push_str(&format!("{endpoint} check {}\n", if failed { "failed" } else { "passed" }));
    Some(Answer::text(if failed { 500 } else { 200 }, lines))
}
