//! The kubelet's own server on port 10250: logs and exec for the API server, health and pods for people.

mod attend;
mod bounds;
mod exec;
mod follow;
mod logs;
mod who;

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use eksile_gate::{Gate, Limits};
use http::{Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::context::Context;
use crate::web::WebError;
pub(crate) use bounds::Streams;
use who::User;

pub(crate) type Answer = Response<UnsyncBoxBody<Bytes, std::io::Error>>;

/// A whole answer of plain text.
pub(crate) fn text(status: StatusCode, text: impl Into<String>) -> Answer {
    let mut response = Response::new(whole(text.into().into()));
    *response.status_mut() = status;
    response
}

fn whole(bytes: Bytes) -> UnsyncBoxBody<Bytes, std::io::Error> {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

/// TLS with the node's serving certificate; a client may present a certificate of the cluster's authority.
///
/// # Errors
/// When a certificate is not understood.
pub(crate) fn acceptor(identity_pem: &[u8], client_ca: &[u8]) -> Result<TlsAcceptor, WebError> {
    let bad = |what| move |reason: String| WebError::Certificate { what, reason };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(client_ca) {
        let certificate = certificate.map_err(|error| bad("client authority")(error.to_string()))?;
        roots.add(certificate).map_err(|error| bad("client authority")(error.to_string()))?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .allow_unauthenticated()
        .build()
        .map_err(|error| bad("client authority")(error.to_string()))?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(identity_pem).collect();
    let chain = chain.map_err(|error| bad("serving certificate")(error.to_string()))?;
    let key = PrivateKeyDer::from_pem_slice(identity_pem).map_err(|error| bad("serving key")(error.to_string()))?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| bad("TLS")(error.to_string()))?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .map_err(|error| bad("serving certificate")(error.to_string()))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Serves on the node's addresses, for ever. `acceptor` gives the current certificate.
///
/// # Errors
/// When it cannot listen.
pub(crate) async fn serve(
    context: Arc<Context>,
    acceptor: tokio::sync::watch::Receiver<TlsAcceptor>,
) -> std::io::Result<()> {
    let address = SocketAddr::from(([0, 0, 0, 0], context.config.port));
    let listener = TcpListener::bind(address).await?;
    let gate = Gate::new("kubelet", Limits::default());
    loop {
        let (stream, caller, pass) = gate.accept(&listener).await;
        let acceptor = acceptor.borrow().clone();
        let context = context.clone();
        tokio::spawn(async move {
            let stream = match pass.handshake(acceptor.accept(stream)).await {
                Ok(Ok(stream)) => stream,
                Ok(Err(error)) => return tracing::debug!(%error, %caller, "no TLS"),
                Err(left) => return tracing::debug!(?left, %caller, "no TLS in time"),
            };
            let user = stream.get_ref().1.peer_certificates().and_then(User::of);
            let answer = move |request| {
                let (context, user) = (context.clone(), user.clone());
                async move { answer(&context, user.as_ref(), request).await }
            };
            eksile_gate::http(pass, stream, answer).await;
        });
    }
}

async fn answer(context: &Arc<Context>, user: Option<&User>, request: Request<Incoming>) -> Answer {
    let now = jiff::Timestamp::now();
    let Some(user) = user.and_then(|user| user.at(now)) else { return text(StatusCode::UNAUTHORIZED, "Unauthorized") };
    // Taken once: what is authorized is what is answered.
    let path = request.uri().path().to_owned();
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    if let Err(refused) = who::allowed(context, user, request.method(), &parts).await {
        return text(StatusCode::FORBIDDEN, refused);
    }
    match parts.as_slice() {
        ["healthz"] => text(StatusCode::OK, "ok"),
        ["pods"] => json_answer(&pods(context)),
        ["stats", "summary"] => json_answer(&attend::summary(context)),
        ["containerLogs", namespace, pod, container] => {
            logs::answer(context, (namespace, pod, container), request.uri().query()).await
        }
        ["exec", namespace, pod, container] => exec::answer(context, (namespace, pod, container), request),
        ["exec", namespace, pod, _uid, container] => exec::answer(context, (namespace, pod, container), request),
        ["run", namespace, pod, container] => {
            exec::run(context, (namespace, pod, container), request.uri().query()).await
        }
        ["attach", namespace, pod, container] | ["attach", namespace, pod, _, container] => {
            let why = exec::container(context, (namespace, pod, container)).err();
            let (status, reason) = why.unwrap_or_else(|| not_built("attach"));
            text(status, reason)
        }
        ["portForward", namespace, pod, ..] => {
            let why = attend::pod(context, namespace, pod).err().map(|reason| (StatusCode::NOT_FOUND, reason));
            let (status, reason) = why.unwrap_or_else(|| not_built("port-forward"));
            text(status, reason)
        }
        _ => text(StatusCode::NOT_FOUND, "404 page not found"),
    }
}

fn not_built(what: &str) -> (StatusCode, String) {
    (StatusCode::NOT_IMPLEMENTED, format!("{what} is not built in this kubelet"))
}

fn json_answer(value: &Value) -> Answer {
    let mut response = Response::new(whole(value.to_string().into()));
    response.headers_mut().insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    response
}

fn pods(context: &Context) -> Value {
    let items: Vec<Value> =
        context.pods.read().values().filter_map(|view| serde_json::to_value(&*view.pod).ok()).collect();
    json!({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": items})
}

/// The values of a query, by name, decoded.
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads `a=b&c=d`.
    pub(crate) fn read(text: Option<&str>) -> Self {
        let decode = |text: &str| {
            let text = text.replace('+', " ");
            percent_encoding::percent_decode_str(&text).decode_utf8_lossy().into_owned()
        };
        let pairs = text.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        Self(
            pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).map(|(n, v)| (decode(n), decode(v))).collect(),
        )
    }

    /// The first value of a name.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// All values of a name, in order.
    pub(crate) fn all(&self, name: &str) -> Vec<String> {
        self.0.iter().filter(|(key, _)| key == name).map(|(_, value)| value.clone()).collect()
    }

    /// Whether one of the names is `true` or `1`.
    pub(crate) fn is(&self, names: &[&str]) -> bool {
        names.iter().any(|name| matches!(self.get(name), Some("true" | "1")))
    }
}
