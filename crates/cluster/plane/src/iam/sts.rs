//! Replays a presigned GetCallerIdentity to the Region's STS.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http::header::{ACCEPT, HOST};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use serde_json::Value;
use tokio_rustls::TlsConnector;

use super::token::Presigned;
use crate::config;
use crate::place;

/// As long as aws-iam-authenticator waits.
const PATIENCE: Duration = Duration::from_secs(10);
/// Largest answer, bytes.
const LARGEST: usize = 64 * 1024;

/// Header of STS's answer to credentials that an instance's metadata service gave out: the instance's ARN. The session's
/// name proves nothing, since whoever may assume a role chooses it.
const SOURCE_INSTANCE: &str = "x-eksile-source-instance";

/// What STS says of a caller.
pub(super) struct Told {
    /// Its answer, JSON.
    pub(super) answer: Value,
    /// The ARN of the instance that the credentials were given to.
    pub(super) source: Option<String>,
}

/// The way to STS.
pub(super) struct Sts {
    connector: TlsConnector,
    address: std::net::SocketAddr,
    netns: Option<std::path::PathBuf>,
    /// Value of `x-k8s-aws-id`.
    cluster: String,
    /// Name that STS's certificate must carry when the token names a loopback listener.
    fallback: String,
}

impl Sts {
    pub(super) fn new(settings: &config::Iam, region: &str, ca: &str) -> Result<Self, eksile_pki::PkiError> {
        let client = eksile_pki::client_config(ca, None)?;
        Ok(Self {
            connector: TlsConnector::from(Arc::new(client)),
            address: settings.sts_address,
            netns: settings.sts_netns.clone(),
            cluster: settings.cluster_identifier.clone(),
            fallback: settings.sts_name.clone().unwrap_or_else(|| format!("sts.{region}.amazonaws.com")),
        })
    }

    /// STS's answer.
    pub(super) async fn replay(&self, presigned: &Presigned) -> Result<Told, String> {
        match tokio::time::timeout(PATIENCE, self.send(presigned)).await {
            Ok(answer) => answer,
            Err(_) => Err("error during GET: STS did not answer in time".to_owned()),
        }
    }

    async fn send(&self, presigned: &Presigned) -> Result<Told, String> {
        let failed = |error: &dyn std::fmt::Display| format!("error during GET: {error}");
        let stream = place::connect(self.netns.as_deref(), self.address).await.map_err(|e| failed(&e))?;
        let name = if presigned.host.starts_with("sts") { &presigned.host } else { &self.fallback };
        let name = ServerName::try_from(name.clone()).map_err(|e| failed(&e))?;
        let stream = self.connector.connect(name, stream).await.map_err(|e| failed(&e))?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| failed(&e))?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "connection to STS ended");
            }
        });
        let request = Request::get(&presigned.target)
            .header(HOST, &presigned.host)
            .header("x-k8s-aws-id", &self.cluster)
            .header(ACCEPT, "application/json")
            .body(Empty::<Bytes>::new())
            .map_err(|e| failed(&e))?;
        let answer = sender.send_request(request).await.map_err(|e| failed(&e))?;
        let code = answer.status();
        let source = answer.headers().get(SOURCE_INSTANCE).and_then(|arn| arn.to_str().ok()).map(str::to_owned);
        let body = Limited::new(answer.into_body(), LARGEST).collect().await.map_err(|e| failed(&e))?.to_bytes();
        if code != http::StatusCode::OK {
            let text = String::from_utf8_lossy(&body);
            return Err(format!("error from AWS (expected 200, got {code}). Body: {text}"));
        }
        let answer = serde_json::from_slice(&body).map_err(|e| failed(&e))?;
        Ok(Told { answer, source })
    }
}
