//! The API server, as the kubelet speaks to it.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use http::{Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use parking_lot::RwLock;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::web::{self, Body, Shared, WebError};

/// Largest answer: a list of all pods of a node with room.
const ANSWER_MAX: usize = 64 << 20;
/// Longest wait for an answer that is not a watch.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why a request to the API server failed.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// It was not reached, or broke off.
    #[error(transparent)]
    Web(#[from] WebError),
    /// No answer in time.
    #[error("{0}: no answer within 30 s")]
    Silent(String),
    /// It said no: a `metav1.Status`.
    #[error("{message}")]
    Status {
        /// HTTP status.
        code: StatusCode,
        /// `NotFound`, `Forbidden`, …
        reason: String,
        /// Its words.
        message: String,
    },
    /// The answer was not understood.
    #[error("{path}: {source}")]
    Malformed {
        /// What was asked.
        path: String,
        /// Where it went wrong.
        source: serde_json::Error,
    },
}

impl ApiError {
    /// The HTTP status, if there was an answer.
    #[must_use]
    pub fn code(&self) -> Option<StatusCode> {
        match self {
            Self::Status { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// Whether the object is not there.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.code() == Some(StatusCode::NOT_FOUND)
    }
}

/// The media type of a patch.
#[derive(Debug, Clone, Copy)]
pub enum Patch {
    /// RFC 7386.
    Merge,
    /// By Kubernetes' merge keys.
    Strategic,
}

/// How requests prove who makes them: by certificate (in the connection) or by token.
#[derive(Debug)]
struct Connection {
    shared: Shared,
    token: Option<String>,
}

/// A client of one API server. Its identity can be exchanged while it is in use.
#[derive(Debug)]
pub struct Api {
    server: String,
    ca_pem: Vec<u8>,
    connection: RwLock<Arc<Connection>>,
}

impl Api {
    /// A client of the server at `https://…`, trusting `ca_pem`, with a bearer token.
    ///
    /// # Errors
    /// When the authority is not understood.
    pub fn with_token(server: &str, ca_pem: &[u8], token: String) -> Result<Self, WebError> {
        let connection = connection(ca_pem, None, Some(token))?;
        Ok(Self::new(server, ca_pem, connection))
    }

    /// A client that presents a certificate (`identity_pem`: certificate and key).
    ///
    /// # Errors
    /// When the authority or the identity is not understood.
    pub fn with_certificate(server: &str, ca_pem: &[u8], identity_pem: &[u8]) -> Result<Self, WebError> {
        let connection = connection(ca_pem, Some(identity_pem), None)?;
        Ok(Self::new(server, ca_pem, connection))
    }

    fn new(server: &str, ca_pem: &[u8], connection: Connection) -> Self {
        Self {
            server: server.trim_end_matches('/').to_owned(),
            ca_pem: ca_pem.to_vec(),
            connection: RwLock::new(Arc::new(connection)),
        }
    }

    /// Uses another certificate from now on; requests under way end on the old connection.
    ///
    /// # Errors
    /// When the identity is not understood.
    pub fn exchange(&self, identity_pem: &[u8]) -> Result<(), WebError> {
        *self.connection.write() = Arc::new(connection(&self.ca_pem, Some(identity_pem), None)?);
        Ok(())
    }

    /// Reads an object or list.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ApiError> {
        self.ask(Method::GET, path, None, "application/json").await
    }

    /// Creates an object (or calls a subresource).
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T, ApiError> {
        self.ask(Method::POST, path, Some(body), "application/json").await
    }

    /// Changes parts of an object.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn patch(&self, path: &str, kind: Patch, body: &Value) -> Result<Value, ApiError> {
        let media = match kind {
            Patch::Merge => "application/merge-patch+json",
            Patch::Strategic => "application/strategic-merge-patch+json",
        };
        self.ask(Method::PATCH, path, Some(body), media).await
    }

    /// Deletes an object.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn delete(&self, path: &str, options: &Value) -> Result<Value, ApiError> {
        self.ask(Method::DELETE, path, Some(options), "application/json").await
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        media: &str,
    ) -> Result<T, ApiError> {
        let bytes = body.map_or_else(Bytes::new, |body| Bytes::from(body.to_string()));
        let work = async {
            let response = self.send(method, path, bytes, media).await?;
            Ok::<_, ApiError>(web::read(response, ANSWER_MAX).await?)
        };
        let bytes = tokio::time::timeout(PATIENCE, work).await.map_err(|_| ApiError::Silent(path.to_owned()))??;
        serde_json::from_slice(&bytes).map_err(|source| ApiError::Malformed { path: path.to_owned(), source })
    }

    /// Sends a request; an answer that is no success becomes an error.
    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        media: &str,
    ) -> Result<http::Response<Incoming>, ApiError> {
        let connection = self.connection.read().clone();
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.server))
            .header(header::ACCEPT, "application/json")
            .header(header::USER_AGENT, concat!("kubelet/eksile-", env!("CARGO_PKG_VERSION")));
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, media);
        }
        if let Some(token) = &connection.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request.body(Body::new(body)).map_err(|_| WebError::Address(path.to_owned()))?;
        let response = connection.shared.send(request).await?;
        if response.status().is_success() {
            return Ok(response);
        }
        let code = response.status();
        let body = web::read(response, ANSWER_MAX).await?;
        let status: Value = serde_json::from_slice(&body).unwrap_or_default();
        let text = |name: &str| status[name].as_str().map(str::to_owned);
        Err(ApiError::Status {
            code,
            reason: text("reason").unwrap_or_default(),
            message: text("message").unwrap_or_else(|| format!("{code}: {}", String::from_utf8_lossy(&body))),
        })
    }

    /// Opens a watch; `path` has its query.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn watch(&self, path: &str) -> Result<Watch, ApiError> {
        let response = self.send(Method::GET, path, Bytes::new(), "").await?;
        Ok(Watch { body: response.into_body(), buffer: BytesMut::new(), path: path.to_owned() })
    }
}

fn connection(ca_pem: &[u8], identity: Option<&[u8]>, token: Option<String>) -> Result<Connection, WebError> {
    Ok(Connection { shared: Shared::new(web::tls(ca_pem, identity, &[b"h2"])?), token })
}

/// One line of a watch.
#[derive(Debug, serde::Deserialize)]
pub struct WatchEvent {
    /// `ADDED`, `MODIFIED`, `DELETED`, `BOOKMARK`, `ERROR`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The object, or a `Status`.
    pub object: Value,
}

/// A running watch.
#[derive(Debug)]
pub struct Watch {
    body: Incoming,
    buffer: BytesMut,
    path: String,
}

impl Watch {
    /// The next event; none when the server ended the watch.
    ///
    /// # Errors
    /// When the connection broke, or a line was not understood.
    pub async fn next(&mut self) -> Result<Option<WatchEvent>, ApiError> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line = self.buffer.split_to(end + 1);
                if line.trim_ascii().is_empty() {
                    continue;
                }
                let event = serde_json::from_slice(&line);
                return event.map(Some).map_err(|source| ApiError::Malformed { path: self.path.clone(), source });
            }
            match self.body.frame().await {
                None => return Ok(None),
                Some(Err(error)) => return Err(WebError::from(error).into()),
                Some(Ok(frame)) => {
                    if let Ok(mut data) = frame.into_data() {
                        self.buffer.extend_from_slice(&data.copy_to_bytes(data.remaining()));
                    }
                }
            }
        }
    }
}
