//! A small HTTPS client: one connection per request, or one shared HTTP/2 connection to an API server.
//!
//! A node must stay small and start fast, so there is no connection pool, proxy or redirect machinery here.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// How long a connection (with its handshake) may take.
const CONNECT: Duration = Duration::from_secs(10);

/// Why a request got no usable answer.
#[derive(Debug, thiserror::Error)]
pub enum WebError {
    /// No connection.
    #[error("dial tcp {host}: {source}")]
    Connect {
        /// Host and port.
        host: String,
        /// What the system, or TLS, said.
        source: io::Error,
    },
    /// The connection broke.
    #[error(transparent)]
    Http(#[from] hyper::Error),
    /// The answer was larger than allowed, or broke off.
    #[error("reading the answer: {0}")]
    Body(String),
    /// The address was not understood.
    #[error("bad address {0}")]
    Address(String),
    /// A certificate or key was not understood.
    #[error("{what}: {reason}")]
    Certificate {
        /// Which.
        what: &'static str,
        /// Why.
        reason: String,
    },
}

/// The request body of this client: all of it at once.
pub type Body = Full<Bytes>;

/// TLS that trusts the certificates of `roots_pem`, presenting `identity_pem` (certificate and key in one text) if given.
///
/// # Errors
/// [`WebError::Certificate`].
pub fn tls(roots_pem: &[u8], identity_pem: Option<&[u8]>, alpn: &[&[u8]]) -> Result<Arc<ClientConfig>, WebError> {
    let bad = |what| move |reason: String| WebError::Certificate { what, reason };
    let mut roots = RootCertStore::empty();
    for certificate in rustls::pki_types::CertificateDer::pem_slice_iter(roots_pem) {
        let certificate = certificate.map_err(|error| bad("certificate authority")(error.to_string()))?;
        // A bundle may hold certificates that are no authorities; they are of no use, and no harm.
        if let Err(error) = roots.add(certificate) {
            tracing::debug!(%error, "a certificate of the bundle is not trusted");
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| bad("TLS")(error.to_string()))?
        .with_root_certificates(roots);
    let mut config = match identity_pem {
        None => builder.with_no_client_auth(),
        Some(pem) => {
            let chain: Result<Vec<_>, _> = rustls::pki_types::CertificateDer::pem_slice_iter(pem).collect();
            let chain = chain.map_err(|error| bad("client certificate")(error.to_string()))?;
            let key = rustls::pki_types::PrivateKeyDer::from_pem_slice(pem)
                .map_err(|error| bad("client key")(error.to_string()))?;
            builder.with_client_auth_cert(chain, key).map_err(|error| bad("client certificate")(error.to_string()))?
        }
    };
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    Ok(Arc::new(config))
}

/// TLS that takes whatever certificate a server has: probes and hooks ask pods, whose certificates nobody vouches for
/// (Kubernetes documentation, "HTTP probes").
///
/// # Errors
/// [`WebError::Certificate`].
pub fn tls_unverified() -> Result<Arc<ClientConfig>, WebError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = Arc::new(Anyone(provider.clone()));
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| WebError::Certificate { what: "TLS", reason: error.to_string() })?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Believes every certificate, but not a server that does not hold its key.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Where a URL points.
struct Target {
    host: String,
    port: u16,
    secure: bool,
}

fn target(uri: &Uri) -> Result<Target, WebError> {
    let address = || WebError::Address(uri.to_string());
    let secure = match uri.scheme_str() {
        Some("https") => true,
        Some("http") => false,
        _ => return Err(address()),
    };
    let host = uri.host().ok_or_else(address)?.trim_matches(['[', ']']).to_owned();
    Ok(Target { host, port: uri.port_u16().unwrap_or(if secure { 443 } else { 80 }), secure })
}

async fn dial(target: &Target) -> Result<TcpStream, WebError> {
    let connect = TcpStream::connect((target.host.as_str(), target.port));
    let stream = within(connect).await.map_err(|source| WebError::Connect { host: target.to_string(), source })?;
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY");
    }
    Ok(stream)
}

async fn within<T>(work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    tokio::time::timeout(CONNECT, work).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

async fn secure(target: &Target, config: Arc<ClientConfig>) -> Result<TlsStream<TcpStream>, WebError> {
    let name = ServerName::try_from(target.host.clone()).map_err(|_| WebError::Address(target.host.clone()))?;
    let stream = dial(target).await?;
    within(TlsConnector::from(config).connect(name, stream))
        .await
        .map_err(|source| WebError::Connect { host: target.to_string(), source })
}

/// Sends one request over a connection of its own. `tls` is used for `https` only.
///
/// # Errors
/// Any [`WebError`] but `Body`.
pub async fn once(tls: &Arc<ClientConfig>, mut request: Request<Body>) -> Result<Response<Incoming>, WebError> {
    let target = target(request.uri())?;
    if let Some(authority) = request.uri().authority().cloned()
        && let Ok(value) = http::HeaderValue::from_str(authority.as_str())
    {
        request.headers_mut().entry(http::header::HOST).or_insert(value);
    }
    let origin = request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned();
    *request.uri_mut() = origin.parse().map_err(|_| WebError::Address(origin))?;
    if target.secure {
        send_once(TokioIo::new(secure(&target, tls.clone()).await?), request).await
    } else {
        send_once(TokioIo::new(dial(&target).await?), request).await
    }
}

async fn send_once<I>(io: I, request: Request<Body>) -> Result<Response<Incoming>, WebError>
where
    I: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(io).await?;
    tokio::spawn(connection);
    Ok(sender.send_request(request).await?)
}

/// Reads an answer of at most `most` bytes.
///
/// # Errors
/// [`WebError::Body`].
pub async fn read(response: Response<Incoming>, most: usize) -> Result<Bytes, WebError> {
    let body = Limited::new(response.into_body(), most).collect().await;
    Ok(body.map_err(|error| WebError::Body(error.to_string()))?.to_bytes())
}

/// A shared HTTP/2 connection, made again when it broke.
#[derive(Debug)]
pub struct Shared {
    tls: Arc<ClientConfig>,
    sender: tokio::sync::Mutex<Option<http2::SendRequest<Body>>>,
}

impl Shared {
    /// Not connected yet. `tls` must offer `h2`.
    #[must_use]
    pub fn new(tls: Arc<ClientConfig>) -> Self {
        Self { tls, sender: tokio::sync::Mutex::new(None) }
    }

    /// Sends a request with an absolute `https` address; all requests must have the same host.
    ///
    /// # Errors
    /// Any [`WebError`] but `Body`.
    pub async fn send(&self, request: Request<Body>) -> Result<Response<Incoming>, WebError> {
        let mut sender = self.sender(request.uri()).await?;
        Ok(sender.send_request(request).await?)
    }

    async fn sender(&self, uri: &Uri) -> Result<http2::SendRequest<Body>, WebError> {
        let mut slot = self.sender.lock().await;
        if let Some(sender) = slot.as_mut()
            && !sender.is_closed()
        {
            return Ok(sender.clone());
        }
        let stream = secure(&target(uri)?, self.tls.clone()).await?;
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .timer(hyper_util::rt::TokioTimer::new())
            .keep_alive_interval(Duration::from_secs(10))
            .keep_alive_timeout(Duration::from_secs(10))
            .keep_alive_while_idle(true)
            .handshake(TokioIo::new(stream))
            .await?;
        tokio::spawn(connection);
        *slot = Some(sender.clone());
        Ok(sender)
    }
}
