//! A plain HTTPS client: one connection a request, so that no answer can depend on the one before.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;

/// Longest wait for an answer; watches of the corpus end by their own `timeoutSeconds`.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server under comparison.
#[derive(Clone)]
pub struct Client {
    authority: String,
    connector: tokio_rustls::TlsConnector,
    name: ServerName<'static>,
}

/// What came back.
#[derive(Debug)]
pub struct Reply {
    /// HTTP status.
    pub status: StatusCode,
    /// All headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

/// Why there was no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The endpoint is not `https://HOST:PORT`, or the CA is not one.
    #[error("{0}")]
    Setup(String),
    /// TCP or TLS failed.
    #[error("connect: {0}")]
    Connect(#[from] std::io::Error),
    /// HTTP failed.
    #[error("http: {0}")]
    Http(#[from] hyper::Error),
    /// The request of the corpus cannot be sent.
    #[error("request: {0}")]
    Request(#[from] http::Error),
    /// Nothing within the patience.
    #[error("no answer in time")]
    Late,
}

impl Client {
    /// A client of `https://HOST:PORT` that trusts exactly the given CA certificates (PEM).
    ///
    /// # Errors
    /// When the endpoint or the certificates do not parse.
    pub fn new(endpoint: &str, ca_pem: &[u8]) -> Result<Client, ClientError> {
        let setup = |what: String| ClientError::Setup(what);
        let authority = endpoint
            .trim()
            .strip_prefix("https://")
            .ok_or_else(|| setup(format!("{endpoint:?} is not https://HOST:PORT")))?
            .trim_end_matches('/');
        let mut roots = rustls::RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(ca_pem) {
            let certificate = certificate.map_err(|e| setup(e.to_string()))?;
            roots.add(certificate).map_err(|e| setup(e.to_string()))?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| setup(e.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
        let name = ServerName::try_from(host.to_owned()).map_err(|e| setup(e.to_string()))?;
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        Ok(Client { authority: authority.to_owned(), connector, name })
    }

    /// Sends one request and collects the whole answer.
    ///
    /// # Errors
    /// When no answer came.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: Option<String>,
    ) -> Result<Reply, ClientError> {
        let asked = self.exchange(method, path, headers, body);
        tokio::time::timeout(PATIENCE, asked).await.map_err(|_| ClientError::Late)?
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: Option<String>,
    ) -> Result<Reply, ClientError> {
        let tcp = TcpStream::connect(&self.authority).await?;
        let tls = self.connector.connect(self.name.clone(), tcp).await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(tls)).await?;
        let driver = tokio::spawn(connection);
        let mut request = http::Request::builder()
            .method(method)
            .uri(path)
            .header(http::header::HOST, &self.authority)
            .body(Full::new(Bytes::from(body.unwrap_or_default())))?;
        request.headers_mut().extend(headers);
        let (parts, incoming) = sender.send_request(request).await?.into_parts();
        let body = incoming.collect().await?.to_bytes();
        drop(sender);
        driver.abort();
        Ok(Reply { status: parts.status, headers: parts.headers, body })
    }
}
