//! Logs, exec, attach and port-forward: passed on to the kubelet on the pod's node.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::header::{
    CONNECTION, HOST, HeaderName, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, UPGRADE,
};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::answer::{Answer, Body};
use crate::call::Call;
use crate::door::Door;
use crate::field::FieldErrors;
use crate::flight::Share;
use crate::locate::ResourceRequest;
use crate::query::Query;
use crate::status::StatusError;

/// A byte stream to a kubelet, TLS done.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// Reaches kubelets.
pub trait KubeletDialer: Send + Sync {
    /// A verified TLS connection to the kubelet of a node (the whole Node object), at the port that it reports.
    fn dial<'a>(&'a self, node: &'a Value) -> BoxFuture<'a, std::io::Result<Box<dyn Io>>>;
}

/// Upstream's words about a pod without a node.
const UNASSIGNED: &str = "does not have a host assigned";

/// Where a pod runs, and in which container; none where ports are asked for.
struct Place {
    node: Value,
    container: String,
}

fn place(door: &Door, at: &ResourceRequest, query: &Query<'_>) -> Result<Place, StatusError> {
    let pod = door
        .stored("/registry/pods/", &format!("{}/{}", at.namespace, at.name))
        .ok_or_else(|| StatusError::not_found("", "pods", &at.name))?;
    // A port belongs to the pod.
    let container = match at.sub.as_str() {
        "portforward" => String::new(),
        _ => container(&pod, &at.name, query.get("container"))?,
    };
    let name = pod.pointer("/spec/nodeName").and_then(Value::as_str).unwrap_or_default();
    if name.is_empty() {
        return Err(StatusError::bad_request(format!("pod {} {UNASSIGNED}", at.name)));
    }
    let node = door.stored("/registry/nodes/", name).ok_or_else(|| StatusError::not_found("", "nodes", name))?;
    Ok(Place { node, container })
}

fn container(pod: &Value, name: &str, asked: &str) -> Result<String, StatusError> {
    let names = |list: &str| -> Vec<String> {
        let list = pod.pointer(&format!("/spec/{list}")).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(|c| c.get("name")?.as_str().map(str::to_owned)).collect()
    };
    let (main, init, debug) = (names("containers"), names("initContainers"), names("ephemeralContainers"));
    if asked.is_empty() {
        if let [only] = &main[..]
            && init.is_empty()
        {
            return Ok(only.clone());
        }
        let mut why = format!("a container name must be specified for pod {name}, choose one of: [{}]", main.join(" "));
        if !init.is_empty() {
            why.push_str(&format!(" or one of the init containers: [{}]", init.join(" ")));
        }
        return if main.len() == 1 { Ok(main[0].clone()) } else { Err(StatusError::bad_request(why)) };
    }
    if main.iter().chain(&init).chain(&debug).any(|c| c == asked) {
        return Ok(asked.to_owned());
    }
    Err(StatusError::bad_request(format!("container {asked} is not valid for pod {name}")))
}

/// The kubelet's path for a request.
fn kubelet_path(at: &ResourceRequest, container: &str, query: &Query<'_>) -> String {
    let mut pairs = form_urlencoded::Serializer::new(String::new());
    let mut pass = |from: &str, to: &str| {
        for value in query.all(from) {
            pairs.append_pair(to, value);
        }
    };
    let head = match at.sub.as_str() {
        "log" => {
            for name in ["follow", "previous", "sinceSeconds", "sinceTime", "timestamps", "tailLines", "limitBytes"] {
                pass(name, name);
            }
            format!("/containerLogs/{}/{}/{container}", at.namespace, at.name)
        }
        "portforward" => {
            pass("ports", "port");
            format!("/portForward/{}/{}", at.namespace, at.name)
        }
        sub => {
            for (from, to) in [("stdin", "input"), ("stdout", "output"), ("stderr", "error"), ("tty", "tty")] {
                if query.flag(from) {
                    pass(from, to);
                }
            }
            pass("command", "command");
            format!("/{sub}/{}/{}/{container}", at.namespace, at.name)
        }
    };
    let text = pairs.finish();
    if text.is_empty() { head } else { format!("{head}?{text}") }
}

async fn dial(door: &Door, node: &Value) -> Result<Box<dyn Io>, StatusError> {
    let Some(kubelets) = &door.kubelets else {
        return Err(StatusError::new(503, "ServiceUnavailable", "this server has no way to the nodes"));
    };
    kubelets.dial(node).await.map_err(|error| {
        let name = node.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
        StatusError::internal(format!("error dialing backend: node {name}: {error}"))
    })
}

async fn send(io: Box<dyn Io>, request: Request<Empty<Bytes>>) -> Result<Response<Incoming>, StatusError> {
    let unreachable = |error: hyper::Error| StatusError::internal(format!("error dialing backend: {error}"));
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(io)).await.map_err(unreachable)?;
    tokio::spawn(async move {
        if let Err(error) = connection.with_upgrades().await {
            tracing::debug!(%error, "connection to a kubelet ended");
        }
    });
    sender.send_request(request).await.map_err(unreachable)
}

fn request(path: &str, headers: HeaderMap) -> Result<Request<Empty<Bytes>>, StatusError> {
    let mut request = Request::builder().uri(path).body(Empty::new()).map_err(StatusError::internal)?;
    *request.headers_mut() = headers;
    request.headers_mut().insert(HOST, http::HeaderValue::from_static("kubelet"));
    Ok(request)
}

fn check_log_options(call: &Call<'_>) -> Result<(), StatusError> {
    let mut errors = FieldErrors::new();
    for (name, least) in [("tailLines", 0), ("limitBytes", 1), ("sinceSeconds", 1)] {
        if let Some(number) = call.query.number(name)?.filter(|n| *n < least) {
            let why = if least == 0 { "must be greater than or equal to 0" } else { "must be greater than 0" };
            errors.invalid(name, &number.into(), why);
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(StatusError::invalid("", "PodLogOptions", &call.at.name, &errors)) }
}

/// `pods/log`: the kubelet's answer, passed on as it comes.
///
/// # Errors
/// 400 for a wrong container, 404, 500 when the kubelet cannot be reached, the kubelet's own refusal.
pub async fn log(call: &Call<'_>) -> Result<Answer, StatusError> {
    check_log_options(call)?;
    let place = match place(call.door, call.at, call.query) {
        // A pod that is nowhere has written nothing.
        Err(error) if error.to_string().ends_with(UNASSIGNED) => return Ok(Answer::nothing(204)),
        other => other?,
    };
    let io = dial(call.door, &place.node).await?;
    let path = kubelet_path(call.at, &place.container, call.query);
    let answer = send(io, request(&path, HeaderMap::new())?).await?;
    let code = answer.status();
    if code != StatusCode::OK {
        let body = answer.into_body().collect().await.map(|b| b.to_bytes()).unwrap_or_default();
        let text = String::from_utf8_lossy(&body).trim_end().to_owned();
        let reason = match code.as_u16() {
            400 => "BadRequest",
            404 => "NotFound",
            _ => "InternalError",
        };
        return Err(StatusError::new(code.as_u16(), reason, text));
    }
    Ok(Answer {
        code: 200,
        content: "text/plain",
        body: Body::Passed(answer.into_body()),
        warnings: Vec::new(),
        etag: None,
    })
}

/// `pods/exec`, `attach` and `portforward` without an upgrade: what is wrong with the request.
///
/// # Errors
/// Always: what is wrong with the pod, else that an upgrade is needed.
pub fn no_upgrade(call: &Call<'_>) -> Result<Answer, StatusError> {
    place(call.door, call.at, call.query)?;
    Err(StatusError::bad_request("Upgrade request required"))
}

/// Whether a request wants its connection upgraded for a stream.
#[must_use]
pub fn wants_upgrade(headers: &HeaderMap) -> bool {
    headers.contains_key(UPGRADE)
}

/// `pods/exec`, `attach` and `portforward`: upgrades both sides and passes bytes. Which protocols there are is the
/// kubelet's affair; its refusal is passed on as it is, since kubectl tries the next protocol and shows the last refusal.
///
/// # Errors
/// As [`log`], but for the kubelet's own refusal.
pub(crate) async fn upgrade(
    door: &Arc<Door>,
    at: &ResourceRequest,
    query: &Query<'_>,
    mut client: Request<Incoming>,
    share: Share,
) -> Result<Response<Body>, StatusError> {
    let place = place(door, at, query)?;
    let io = dial(door, &place.node).await?;
    let path = kubelet_path(at, &place.container, query);
    let mut headers = HeaderMap::new();
    let [version, spdy] = ["sec-websocket-version", "x-stream-protocol-version"].map(HeaderName::from_static);
    for name in [CONNECTION, UPGRADE, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, version, spdy] {
        for value in client.headers().get_all(&name) {
            headers.append(name.clone(), value.clone());
        }
    }
    let mut answer = send(io, request(&path, headers)?).await?;
    if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Ok(answer.map(|body| share.with(Body::Passed(body))));
    }
    let mut response = Response::new(Body::Full(Bytes::new()));
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    for name in [CONNECTION, UPGRADE, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_PROTOCOL] {
        for value in answer.headers().get_all(&name) {
            response.headers_mut().append(name.clone(), value.clone());
        }
    }
    let (near, far) = (hyper::upgrade::on(&mut client), hyper::upgrade::on(&mut answer));
    tokio::spawn(async move {
        let _share = share;
        match tokio::try_join!(near, far) {
            Ok((near, far)) => {
                let copied = tokio::io::copy_bidirectional(&mut TokioIo::new(near), &mut TokioIo::new(far)).await;
                if let Err(error) = copied {
                    tracing::debug!(%error, "stream ended");
                }
            }
            Err(error) => tracing::warn!(%error, "upgrade failed"),
        }
    });
    Ok(response)
}
