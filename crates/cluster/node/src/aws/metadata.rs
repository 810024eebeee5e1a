//! The instance metadata service, version 2 (EC2 user guide, "Instance metadata and user data").

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, StatusCode};
use rustls::ClientConfig;

use super::Credentials;
use crate::web::{self, Body, WebError};

const TOKEN_SECONDS: u64 = 21600;
const ANSWER_MAX: usize = 1 << 20;
const PATIENCE: Duration = Duration::from_secs(5);

/// Why the metadata service did not answer.
#[derive(Debug, thiserror::Error)]
pub enum MetadataError {
    /// No connection.
    #[error("metadata service: {0}")]
    Web(#[from] WebError),
    /// No answer in time.
    #[error("metadata service: no answer")]
    Silent,
    /// It said no.
    #[error("metadata service: {path}: {status}")]
    Status {
        /// What was asked.
        path: String,
        /// The answer.
        status: StatusCode,
    },
    /// The answer was not understood.
    #[error("metadata service: {0}: malformed")]
    Malformed(String),
}

/// A client of the metadata service; its session token is kept.
#[derive(Debug)]
pub struct Metadata {
    base: String,
    tls: Arc<ClientConfig>,
    token: tokio::sync::Mutex<Option<(String, Instant)>>,
}

impl Metadata {
    /// For the service at `base` (`http://169.254.169.254`). `tls` is not used for a plain address.
    #[must_use]
    pub fn new(base: &str, tls: Arc<ClientConfig>) -> Self {
        Self { base: base.trim_end_matches('/').to_owned(), tls, token: tokio::sync::Mutex::new(None) }
    }

    /// The text at `path` (`/latest/meta-data/instance-id`).
    ///
    /// # Errors
    /// [`MetadataError`].
    pub async fn get(&self, path: &str) -> Result<String, MetadataError> {
        let token = self.session().await?;
        let request = Request::get(format!("{}{path}", self.base)).header("x-aws-ec2-metadata-token", token);
        let bytes = self.ask(path, request).await?;
        String::from_utf8(bytes.to_vec()).map_err(|_| MetadataError::Malformed(path.to_owned()))
    }

    /// As [`Metadata::get`], with none for what is not there.
    ///
    /// # Errors
    /// Any other answer.
    pub async fn find(&self, path: &str) -> Result<Option<String>, MetadataError> {
        match self.get(path).await {
            Err(MetadataError::Status { status: StatusCode::NOT_FOUND, .. }) => Ok(None),
            other => other.map(Some),
        }
    }

    /// Credentials of the instance's role.
    ///
    /// # Errors
    /// [`MetadataError`]; an instance without a role is a 404.
    pub async fn credentials(&self) -> Result<Credentials, MetadataError> {
        let base = "/latest/meta-data/iam/security-credentials/";
        let role = self.get(base).await?;
        let role = role.lines().next().unwrap_or_default();
        let text = self.get(&format!("{base}{role}")).await?;
        serde_json::from_str(&text).map_err(|_| MetadataError::Malformed("credentials".to_owned()))
    }

    async fn session(&self) -> Result<String, MetadataError> {
        let mut slot = self.token.lock().await;
        if let Some((token, until)) = slot.as_ref()
            && Instant::now() < *until
        {
            return Ok(token.clone());
        }
        let path = "/latest/api/token";
        let request = Request::put(format!("{}{path}", self.base))
            .header("x-aws-ec2-metadata-token-ttl-seconds", TOKEN_SECONDS.to_string());
        let bytes = self.ask(path, request).await?;
        let token = String::from_utf8(bytes.to_vec()).map_err(|_| MetadataError::Malformed(path.to_owned()))?;
        *slot = Some((token.clone(), Instant::now() + Duration::from_secs(TOKEN_SECONDS - 60)));
        Ok(token)
    }

    async fn ask(&self, path: &str, request: http::request::Builder) -> Result<Bytes, MetadataError> {
        let request = request.body(Body::default()).map_err(|_| MetadataError::Malformed(path.to_owned()))?;
        let work = async {
            let response = web::once(&self.tls, request).await?;
            if !response.status().is_success() {
                return Err(MetadataError::Status { path: path.to_owned(), status: response.status() });
            }
            Ok(web::read(response, ANSWER_MAX).await?)
        };
        tokio::time::timeout(PATIENCE, work).await.unwrap_or(Err(MetadataError::Silent))
    }
}
