//! Pulling: the OCI distribution protocol, with the node's own credentials for ECR.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::SHA256;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use rustls::ClientConfig;
use serde::Deserialize;

use super::reference::{Reference, is_digest};
use super::store::{Image, ImageConfig, Images, layer_name};
use super::unpack::UnpackError;
use crate::aws::{Metadata, MetadataError, sign};
use crate::web::{self, Body, WebError};

/// Largest manifest or configuration, as registries limit it.
const DOCUMENT_MAX: usize = 4 << 20;
/// How long a registry may be silent.
const STALLED: Duration = Duration::from_secs(60);
const MANIFESTS: &str = "application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.index.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json";

/// Why an image was not pulled. The texts reach the user as container status and event messages.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// The name is not one.
    #[error("{0}")]
    Name(String),
    /// The registry was not reached.
    #[error("failed to pull and unpack image {image:?}: failed to resolve reference {image:?}: {source}")]
    Unreachable {
        /// Full reference.
        image: String,
        /// What happened.
        source: WebError,
    },
    /// The registry said no.
    #[error("failed to pull and unpack image {image:?}: failed to resolve reference {image:?}: {reason}")]
    Refused {
        /// Full reference.
        image: String,
        /// Its words.
        reason: String,
    },
    /// Content is not what its digest says, or not understood.
    #[error("failed to pull and unpack image {image:?}: {reason}")]
    Content {
        /// Full reference.
        image: String,
        /// What is wrong.
        reason: String,
    },
    /// Nothing came for too long.
    #[error("failed to pull and unpack image {image:?}: no progress for {seconds} s")]
    Stalled {
        /// Full reference.
        image: String,
        /// How long.
        seconds: u64,
    },
    /// No credentials for the registry.
    #[error("no credentials for the registry: {0}")]
    Credentials(#[from] MetadataError),
    /// A layer could not be unpacked.
    #[error("failed to extract layer: {0}")]
    Unpack(#[from] UnpackError),
    /// The disk refused.
    #[error("write the image: {0}")]
    Disk(#[from] io::Error),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptor {
    pub(super) digest: String,
    pub(super) size: u64,
    #[serde(default)]
    pub(super) media_type: String,
    platform: Option<Platform>,
}

#[derive(Deserialize)]
struct Platform {
    architecture: String,
    os: String,
}

/// What is asked for as a manifest: an image's, or a list of them.
#[derive(Deserialize)]
struct Document {
    manifests: Option<Vec<Descriptor>>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
}

struct Manifest {
    config: Descriptor,
    layers: Vec<Descriptor>,
}

#[derive(Deserialize)]
struct Configuration {
    #[serde(default)]
    config: Option<ImageConfig>,
    rootfs: RootFs,
}

#[derive(Deserialize)]
struct RootFs {
    diff_ids: Vec<String>,
}

/// Pulls images into a store.
#[derive(Debug)]
pub struct Puller {
    pub(super) images: Arc<Images>,
    tls: Arc<ClientConfig>,
    metadata: Arc<Metadata>,
    patience: Duration,
}

/// One pull: where from, and the header that opens the door.
pub(super) struct Session<'a> {
    pub(super) puller: &'a Puller,
    pub(super) reference: &'a Reference,
    authorization: Option<String>,
}

impl Puller {
    /// `tls` says whom to trust; `metadata` gives credentials for ECR.
    #[must_use]
    pub fn new(images: Arc<Images>, tls: Arc<ClientConfig>, metadata: Arc<Metadata>) -> Self {
        Self { images, tls, metadata, patience: STALLED }
    }

    /// Gives up after this long without progress.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Pulls `name`, with `basic` (`user:password`) if a pull secret gives it. What is here already is not moved again.
    ///
    /// # Errors
    /// [`PullError`].
    pub async fn pull(&self, name: &str, basic: Option<&str>) -> Result<Image, PullError> {
        let reference = Reference::parse(name).map_err(PullError::Name)?;
        let authorization = match basic {
            Some(basic) => Some(format!("Basic {}", STANDARD.encode(basic))),
            None => self.ecr_authorization(&reference).await?,
        };
        let session = Session { puller: self, reference: &reference, authorization };
        let image = session.run().await?;
        self.images.keep(&reference.to_string(), &image)?;
        Ok(image)
    }

    /// ECR registries want a token that the instance's role may ask for; others get nothing.
    async fn ecr_authorization(&self, reference: &Reference) -> Result<Option<String>, PullError> {
        let Some(region) = ecr_region(&reference.registry) else { return Ok(None) };
        let credentials = self.metadata.credentials().await?;
        let host = format!("api.ecr.{region}.amazonaws.com");
        let refused = |reason: String| PullError::Refused { image: reference.to_string(), reason };
        let mut request =
            Request::post(format!("https://{host}/")).header(header::CONTENT_TYPE, "application/x-amz-json-1.1");
        let target = Some("AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken");
        for (name, value) in sign(&credentials, (region, "ecr"), &host, target, b"{}", jiff::Timestamp::now()) {
            request = request.header(name, value);
        }
        let request = request.body(Body::from("{}")).map_err(|error| refused(error.to_string()))?;
        let unreachable = |source| PullError::Unreachable { image: reference.to_string(), source };
        let response = web::once(&self.tls, request).await.map_err(unreachable)?;
        let status = response.status();
        let body = web::read(response, DOCUMENT_MAX).await.map_err(unreachable)?;
        let answer: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
        match answer["authorizationData"][0]["authorizationToken"].as_str() {
            Some(token) if status.is_success() => Ok(Some(format!("Basic {token}"))),
            _ => Err(refused(format!("GetAuthorizationToken: {status}: {}", String::from_utf8_lossy(&body)))),
        }
    }
}

/// `ACCOUNT.dkr.ecr.REGION.amazonaws.com` has a Region.
fn ecr_region(registry: &str) -> Option<&str> {
    let rest = registry.strip_suffix(".amazonaws.com")?;
    let (account, region) = rest.split_once(".dkr.ecr.")?;
    account.chars().all(|c| c.is_ascii_digit()).then_some(region)
}

impl Session<'_> {
    async fn run(&self) -> Result<Image, PullError> {
        let images = &self.puller.images;
        let (manifest, digest) = self.manifest().await?;
        let here = format!("{}/{}", self.reference.registry, self.reference.repository);
        let known = images.by_digest(&digest);
        // Its registry has just given this caller the manifest, and once gave all of it.
        if let Some(image) = known.as_ref().filter(|image| image.repositories.contains(&here)) {
            return Ok(image.clone());
        }
        let body = self.document("blobs", &manifest.config.digest).await?.0;
        self.sized(&manifest.config, &body)?;
        let configuration: Configuration =
            serde_json::from_slice(&body).map_err(|error| self.content(&error.to_string()))?;
        self.layers(&manifest.layers, &configuration.rootfs.diff_ids).await?;
        let mut repositories = known.map(|image| image.repositories).unwrap_or_default();
        repositories.insert(here);
        Ok(Image {
            digest,
            id: manifest.config.digest,
            layers: manifest.layers.iter().map(|layer| layer_name(&layer.digest)).collect(),
            size: manifest.layers.iter().fold(0, |sum, layer| sum.saturating_add(layer.size)),
            config: configuration.config.unwrap_or_default(),
            repositories,
        })
    }

    /// The manifest that the reference names, for this machine, and its digest. All that it names has a digest.
    async fn manifest(&self) -> Result<(Manifest, String), PullError> {
        let (mut body, mut digest) = self.document("manifests", self.reference.selector()).await?;
        let mut document = self.parse(&body)?;
        if let Some(manifests) = document.manifests {
            let here = |platform: &Platform| platform.os == "linux" && platform.architecture == architecture();
            let wanted = manifests.iter().find(|one| one.platform.as_ref().is_none_or(here));
            let wanted = wanted.ok_or_else(|| self.content("no match for platform in manifest: not found"))?;
            (body, digest) = self.document("manifests", &wanted.digest).await?;
            self.sized(wanted, &body)?;
            document = self.parse(&body)?;
        }
        let (Some(config), Some(layers)) = (document.config, document.layers) else {
            return Err(self.content("the manifest is not one of an image"));
        };
        Ok((Manifest { config, layers }, digest))
    }

    fn parse(&self, body: &[u8]) -> Result<Document, PullError> {
        let document: Document = serde_json::from_slice(body).map_err(|error| self.content(&error.to_string()))?;
        // Otherwise two readers could see two images in it.
        if document.manifests.is_some() && (document.config.is_some() || document.layers.is_some()) {
            return Err(self.content("the manifest is both one of an image and a list of them"));
        }
        Ok(document)
    }

    fn sized(&self, descriptor: &Descriptor, body: &[u8]) -> Result<(), PullError> {
        if descriptor.size == body.len() as u64 {
            return Ok(());
        }
        let (digest, size) = (&descriptor.digest, descriptor.size);
        Err(self.content(&format!("{digest} has {} bytes, its descriptor says {size}", body.len())))
    }

    /// What comes of `work`, unless nothing has come for too long.
    pub(super) async fn in_time<T>(&self, work: impl Future<Output = T>) -> Result<T, PullError> {
        let patience = self.puller.patience;
        let stalled = |_| PullError::Stalled { image: self.reference.to_string(), seconds: patience.as_secs() };
        tokio::time::timeout(patience, work).await.map_err(stalled)
    }

    pub(super) fn content(&self, reason: &str) -> PullError {
        PullError::Content { image: self.reference.to_string(), reason: reason.to_owned() }
    }

    /// A small object and its digest, verified when it was asked for by digest. Only a manifest has other names.
    async fn document(&self, kind: &str, selector: &str) -> Result<(Bytes, String), PullError> {
        if !is_digest(selector) && selector != self.reference.selector() {
            return Err(self.content("what the manifest names has no sha256 digest"));
        }
        let response = self.ask(Method::GET, kind, selector).await?;
        let unreachable = |source| PullError::Unreachable { image: self.reference.to_string(), source };
        let body = self.in_time(web::read(response, DOCUMENT_MAX)).await?.map_err(unreachable)?;
        let digest = format!("sha256:{}", hex::encode(aws_lc_rs::digest::digest(&SHA256, &body)));
        if is_digest(selector) && selector != digest {
            return Err(self.content(&format!("unexpected digest {digest}, expected {selector}")));
        }
        Ok((body, digest))
    }

    pub(super) async fn ask(
        &self,
        method: Method,
        kind: &str,
        selector: &str,
    ) -> Result<Response<Incoming>, PullError> {
        let Reference { registry, repository, .. } = self.reference;
        let image = || self.reference.to_string();
        // A registry on this very machine may speak plainly, as containerd allows it.
        let local = ["localhost", "127.0.0.1"].iter().any(|host| registry.split(':').next() == Some(host));
        let scheme = if local { "http" } else { "https" };
        let url = format!("{scheme}://{registry}/v2/{repository}/{kind}/{selector}");
        let mut request = Request::builder().method(&method).uri(&url).header(header::ACCEPT, MANIFESTS);
        if let Some(authorization) = &self.authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        let request = request
            .body(Body::default())
            .map_err(|error| PullError::Refused { image: image(), reason: error.to_string() })?;
        let response = self
            .in_time(web::once(&self.puller.tls, request))
            .await?
            .map_err(|source| PullError::Unreachable { image: image(), source })?;
        match response.status() {
            StatusCode::OK => Ok(response),
            StatusCode::NOT_FOUND => {
                Err(PullError::Refused { image: image(), reason: format!("{image}: not found", image = image()) })
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(PullError::Refused {
                image: image(),
                reason: format!(
                    "pull access denied, repository does not exist or may require authorization: {}",
                    response.status()
                ),
            }),
            status => Err(PullError::Refused {
                image: image(),
                reason: format!("unexpected status from {method} request to {url}: {status}"),
            }),
        }
    }
}

fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
