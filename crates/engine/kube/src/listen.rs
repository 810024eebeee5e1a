//! From a socket to the stations and back: TLS, HTTP/1.1 and HTTP/2.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use bytes::Bytes;
use eksile_gate::body::{Taken, WHOLE};
use eksile_gate::{Gate, Limits, Pass, Waiting, Watched};
use eksile_pki::{ClientAuth, ClientVerifier, PkiError, Shown, server_config};
use futures::FutureExt as _;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, USER_AGENT, WARNING};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use jiff::Timestamp;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::answer::{Answer, Body};
use crate::authenticate::bearer::bearer;
use crate::authenticate::impersonate::{self, Refused};
use crate::authenticate::x509::{self, Presented};
use crate::call::Head;
use crate::caller::Caller;
use crate::connect;
use crate::door::{Door, Run};
use crate::flight;
use crate::locate::{Located, Lost};
use crate::negotiate;
use crate::query::Query;
use crate::status::StatusError;

/// Largest body, bytes.
const BODY_LIMIT: usize = 3 * 1024 * 1024;

/// What a listener presents and whom it believes.
#[derive(Clone)]
pub struct Front {
    acceptor: TlsAcceptor,
    clients: Arc<ClientVerifier>,
}

impl Front {
    /// A front with this certificate chain and key (or what renews them), and the CA of client certificates (PEM).
    ///
    /// # Errors
    /// Material that cannot be read or does not fit.
    pub fn new<'a>(shown: impl Into<Shown<'a>>, client_ca: &str) -> Result<Self, PkiError> {
        let config = server_config(shown, ClientAuth::Asked(client_ca), &["h2", "http/1.1"])?;
        let clients = Arc::new(ClientVerifier::new(client_ca)?);
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), clients })
    }
}

/// Serves connections until the task is dropped. An error of one connection is that connection's.
pub async fn serve(door: Arc<Door>, listener: TcpListener, front: Front) {
    let gate = Gate::new("kubernetes", Limits::default());
    loop {
        let (stream, _, pass) = gate.accept(&listener).await;
        tokio::spawn(connection(door.clone(), stream, pass, front.clone()));
    }
}

async fn connection(door: Arc<Door>, stream: Watched<TcpStream>, pass: Pass, front: Front) {
    let stream = match pass.handshake(front.acceptor.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return tracing::debug!(%error, "handshake"),
        Err(left) => return tracing::debug!(?left, "no handshake"),
    };
    let chain = stream.get_ref().1.peer_certificates();
    let peer = Peer::of(x509::judge(&front.clients, chain, door.clock().now_wall()));
    let peer = Arc::new(peer);
    let answer = move |request| {
        let (door, peer) = (door.clone(), peer.clone());
        async move { guarded(&door, &peer, request).await }
    };
    eksile_gate::http(pass, stream, answer).await;
}

/// What is known about the other end of a connection.
enum Peer {
    /// No certificate.
    Nobody(Arc<Caller>),
    /// A certificate that holds until then.
    Known(Arc<Caller>, Timestamp),
    /// One that does not.
    Bad,
}

impl Peer {
    fn of(presented: Presented) -> Self {
        match presented {
            Presented::Nothing => Self::Nobody(Caller::anonymous()),
            Presented::User(user, end) => Self::Known(Caller::authenticated(user), end),
            Presented::Bad => Self::Bad,
        }
    }

    /// As it is by now: what has ended is bad, however long ago the connection began.
    fn at(&self, now: Timestamp) -> &Self {
        match self {
            Self::Known(_, end) if *end < now => &Self::Bad,
            peer => peer,
        }
    }
}

/// Answers a request whatever happens: a panic is a 500 and a line in the log.
async fn guarded(door: &Arc<Door>, peer: &Peer, request: Request<Incoming>) -> Response<Body> {
    let accept = request.headers().get(ACCEPT).cloned();
    let outcome = AssertUnwindSafe(handle(door, peer, request)).catch_unwind().await;
    let error = match outcome {
        Ok(Ok(response)) => return response,
        Ok(Err(error)) => error,
        Err(_) => {
            tracing::error!("a request panicked");
            StatusError::internal("the server failed to answer this request")
        }
    };
    let mut answer = Answer::failure(&error);
    if negotiate::errors_in_yaml(accept.as_ref().and_then(|a| a.to_str().ok())) {
        answer = answer.in_yaml().unwrap_or_else(|_| Answer::failure(&error));
    }
    encode(answer, retry_after(&error))
}

fn retry_after(error: &StatusError) -> Option<u32> {
    error.0.details.as_ref().map(|d| d.retry_after_seconds).filter(|s| *s > 0)
}

async fn handle(door: &Arc<Door>, peer: &Peer, request: Request<Incoming>) -> Result<Response<Body>, StatusError> {
    let (parts, body) = request.into_parts();
    let query = Query::parse(parts.uri.query());
    let at = match door.locate(&parts.method, parts.uri.path(), &query) {
        Ok(at) => at,
        Err(Lost::Path) => return Ok(encode(Answer::text(400, "400 Bad Request"), None)),
        Err(lost) => {
            let why = format!("failed to create RequestInfo: {lost}");
            return Ok(encode(Answer::untold(&parts.uri, &why), None));
        }
    };
    let caller = authenticate(door, peer, &parts.headers).await?;
    let caller = match impersonate::apply(door, caller, &parts.headers) {
        Ok(caller) => caller,
        Err(Refused::Answer(error)) => return Err(error),
        Err(Refused::Untold(why)) => return Ok(encode(Answer::untold(&parts.uri, &why), None)),
    };
    door.authorize(&caller, &at)?;
    let share = door.flights.enter(&caller, &at)?;
    if connect::wants_upgrade(&parts.headers)
        && let Some(target) = door.stream(&at)
    {
        let query = Query::parse(parts.uri.query());
        return connect::upgrade(door, target, &query, Request::from_parts(parts.clone(), body), share).await;
    }
    let mut room = None;
    let waiting = Waiting::of(&parts.extensions);
    let collected = tokio::time::timeout(WHOLE, collect(body, &parts.headers, door, &mut room)).await;
    drop(waiting);
    let body = collected.map_err(|_| too_slow())??;
    let size = body.len().max(flight::stored_size(door, &at));
    let served = door.clone();
    let mut answer = door.flights.work(size, async move { run(&served, &caller, &at, &parts, body).await }).await?;
    answer.body = share.with(answer.body);
    Ok(encode(answer, None))
}

async fn run(door: &Arc<Door>, caller: &Arc<Caller>, at: &Located, parts: &Parts, body: Bytes) -> Outcome {
    let head = Head {
        accept: text(&parts.headers, &ACCEPT),
        content_type: text(&parts.headers, &CONTENT_TYPE),
        user_agent: text(&parts.headers, &USER_AGENT).unwrap_or_default(),
    };
    let query = Query::parse(parts.uri.query());
    let run = Run { caller, at, method: &parts.method, query: &query, head, body };
    door.run(run).await
}

type Outcome = Result<Answer, StatusError>;

fn too_slow() -> StatusError {
    StatusError::new(408, "Timeout", format!("the body of the request did not come whole within {WHOLE:?}"))
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

async fn authenticate(door: &Door, peer: &Peer, headers: &HeaderMap) -> Result<Arc<Caller>, StatusError> {
    match (peer.at(door.clock.now_wall()), bearer(headers)) {
        (Peer::Known(caller, _), _) => Ok(caller.clone()),
        (_, Some(token)) => {
            let found = door.tokens.bearer(&token, &door.store, door.clock.now_wall()).await;
            found.ok_or_else(StatusError::unauthorized)
        }
        (Peer::Nobody(caller), None) => Ok(caller.clone()),
        (Peer::Bad, None) => Err(StatusError::unauthorized()),
    }
}

async fn collect(mut body: Incoming, headers: &HeaderMap, door: &Door, room: &mut Taken) -> Result<Bytes, StatusError> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    let announced = text(headers, &CONTENT_LENGTH).and_then(|v| v.parse::<usize>().ok());
    if announced.is_some_and(|length| length > BODY_LIMIT) {
        return Err(refuse_large(&mut body).await);
    }
    let mut first: Option<Bytes> = None;
    let mut all: Option<Vec<u8>> = None;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|e| StatusError::bad_request(format!("body: {e}")))?;
        let Ok(data) = frame.into_data() else { continue };
        if first.is_none() {
            first = Some(data);
            continue;
        }
        let whole = all.get_or_insert_with(|| {
            // No more than came so far is believed to come.
            let mut whole = Vec::with_capacity(announced.unwrap_or_default().clamp(64 * 1024, 256 * 1024));
            whole.extend_from_slice(first.as_deref().unwrap_or_default());
            whole
        });
        if whole.len() + data.len() > BODY_LIMIT {
            return Err(refuse_large(&mut body).await);
        }
        door.flights.hold(whole.len() + data.len(), room).await?;
        whole.extend_from_slice(&data);
    }
    Ok(all.map(Bytes::from).or(first).unwrap_or_default())
}

/// Reads on for a while, so that a client that writes before it reads gets to see the answer.
async fn refuse_large(body: &mut Incoming) -> StatusError {
    let mut read = 0;
    while let Some(Ok(frame)) = body.frame().await {
        read += frame.data_ref().map_or(0, Bytes::len);
        if read > 2 * BODY_LIMIT {
            break;
        }
    }
    StatusError::new(413, "RequestEntityTooLarge", format!("Request entity too large: limit is {BODY_LIMIT}"))
}

fn encode(answer: Answer, retry_after: Option<u32>) -> Response<Body> {
    let mut response = Response::new(answer.body);
    *response.status_mut() = StatusCode::from_u16(answer.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    if !answer.content.is_empty() {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(answer.content));
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    headers.insert(HeaderName::from_static("audit-id"), crate::audit::next());
    for warning in &answer.warnings {
        let quoted = warning.replace('\\', "\\\\").replace('"', "\\\"");
        if let Ok(value) = HeaderValue::from_str(&format!("299 - \"{quoted}\"")) {
            headers.append(WARNING, value);
        }
    }
    if let Some(tag) = answer.etag
        && let Ok(value) = HeaderValue::from_str(&format!("\"{tag}\""))
    {
        headers.insert(http::header::ETAG, value);
    }
    if let Some(seconds) = retry_after {
        headers.insert(http::header::RETRY_AFTER, seconds.into());
    }
    response
}
