//! Pulling: the OCI distribution protocol, with the node's own credentials for ECR.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use rustls::ClientConfig;
use serde::Deserialize;

use super::reference::{Reference, is_digest};
use super::store::{Image, ImageConfig, Images, layer_name};
use super::unpack::{UnpackError, unpack};
use crate::aws::{Metadata, MetadataError, sign};
use crate::web::{self, Body, WebError};

/// Largest manifest or configuration, as registries limit it.
const DOCUMENT_MAX: usize = 4 << 20;
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
struct Descriptor {
    digest: String,
    size: u64,
    #[serde(default)]
    media_type: String,
    platform: Option<Platform>,
}

#[derive(Deserialize)]
struct Platform {
    architecture: String,
    os: String,
}

#[derive(Deserialize)]
struct Manifest {
    config: Descriptor,
    layers: Vec<Descriptor>,
}

#[derive(Deserialize)]
struct Index {
    manifests: Vec<Descriptor>,
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
    images: Arc<Images>,
    tls: Arc<ClientConfig>,
    metadata: Arc<Metadata>,
}

/// One pull: where from, and the header that opens the door.
struct Session<'a> {
    puller: &'a Puller,
    reference: &'a Reference,
    authorization: Option<String>,
}

impl Puller {
    /// `tls` says whom to trust; `metadata` gives credentials for ECR.
    #[must_use]
    pub fn new(images: Arc<Images>, tls: Arc<ClientConfig>, metadata: Arc<Metadata>) -> Self {
        Self { images, tls, metadata }
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
        let (mut body, mut digest) = self.document("manifests", self.reference.selector()).await?;
        if let Ok(index) = serde_json::from_slice::<Index>(&body) {
            let here = |platform: &Platform| platform.os == "linux" && platform.architecture == architecture();
            let wanted = index.manifests.iter().find(|one| one.platform.as_ref().is_none_or(here));
            let wanted = wanted.ok_or_else(|| self.content("no match for platform in manifest: not found"))?;
            (body, digest) = self.document("manifests", &wanted.digest).await?;
        }
        if let Some(image) = self.puller.images.by_digest(&digest) {
            return Ok(image);
        }
        let manifest: Manifest = serde_json::from_slice(&body).map_err(|error| self.content(&error.to_string()))?;
        let (body, _) = self.document("blobs", &manifest.config.digest).await?;
        let configuration: Configuration =
            serde_json::from_slice(&body).map_err(|error| self.content(&error.to_string()))?;
        let diff_ids = configuration.rootfs.diff_ids;
        if diff_ids.len() != manifest.layers.len() || !diff_ids.iter().all(|id| is_digest(id)) {
            return Err(self.content("mismatched image rootfs and manifest layers"));
        }
        for (layer, diff_id) in manifest.layers.iter().zip(&diff_ids) {
            self.layer(layer, diff_id).await?;
        }
        Ok(Image {
            digest,
            id: manifest.config.digest,
            layers: diff_ids.iter().map(|id| layer_name(id)).collect(),
            size: manifest.layers.iter().map(|layer| layer.size).sum(),
            config: configuration.config.unwrap_or_default(),
        })
    }

    fn content(&self, reason: &str) -> PullError {
        PullError::Content { image: self.reference.to_string(), reason: reason.to_owned() }
    }

    /// A small object and its digest, verified when it was asked for by digest.
    async fn document(&self, kind: &str, selector: &str) -> Result<(Bytes, String), PullError> {
        let response = self.get(kind, selector).await?;
        let unreachable = |source| PullError::Unreachable { image: self.reference.to_string(), source };
        let body = web::read(response, DOCUMENT_MAX).await.map_err(unreachable)?;
        let digest = format!("sha256:{}", hex::encode(aws_lc_rs::digest::digest(&SHA256, &body)));
        if is_digest(selector) && selector != digest {
            return Err(self.content(&format!("unexpected digest {digest}, expected {selector}")));
        }
        Ok((body, digest))
    }

    async fn get(&self, kind: &str, selector: &str) -> Result<Response<Incoming>, PullError> {
        let Reference { registry, repository, .. } = self.reference;
        let image = || self.reference.to_string();
        // A registry on this very machine may speak plainly, as containerd allows it.
        let local = ["localhost", "127.0.0.1"].iter().any(|host| registry.split(':').next() == Some(host));
        let scheme = if local { "http" } else { "https" };
        let url = format!("{scheme}://{registry}/v2/{repository}/{kind}/{selector}");
        let mut request = Request::get(&url).header(header::ACCEPT, MANIFESTS);
        if let Some(authorization) = &self.authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        let request = request
            .body(Body::default())
            .map_err(|error| PullError::Refused { image: image(), reason: error.to_string() })?;
        let response = web::once(&self.puller.tls, request)
            .await
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
                reason: format!("unexpected status from GET request to {url}: {status}"),
            }),
        }
    }

    /// Fetches and unpacks one layer, unless it is here.
    async fn layer(&self, layer: &Descriptor, diff_id: &str) -> Result<(), PullError> {
        let name = layer_name(diff_id);
        let images = &self.puller.images;
        let target = images.layer(&name);
        if target.is_dir() {
            return Ok(());
        }
        if !is_digest(&layer.digest) {
            return Err(self.content("unsupported digest of a layer"));
        }
        if layer.media_type.ends_with("zstd") {
            return Err(self.content("layers compressed with zstd are not supported"));
        }
        let unique = format!("{name}-{}", hex::encode(random()?));
        let blob = Blob(images.partial(&format!("{unique}.blob")));
        self.download(layer, &blob.0).await?;
        let partial = images.partial(&unique);
        let expected = diff_id.to_owned();
        let unpacked = tokio::task::spawn_blocking(move || extract(&blob.0, &partial, &target, &expected)).await;
        match unpacked.map_err(io::Error::other)?? {
            true => Ok(()),
            false => Err(self.content(&format!("wrong diff id calculated on extraction, expected {diff_id}"))),
        }
    }

    async fn download(&self, layer: &Descriptor, to: &Path) -> Result<(), PullError> {
        let mut body = self.get("blobs", &layer.digest).await?.into_body();
        let mut file = fs::File::create(to)?;
        let mut hash = Context::new(&SHA256);
        let mut left = layer.size;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| self.content(&error.to_string()))?;
            let Ok(data) = frame.into_data() else { continue };
            left = left
                .checked_sub(data.len() as u64)
                .ok_or_else(|| self.content("a layer is larger than its manifest says"))?;
            hash.update(&data);
            file.write_all(&data)?;
        }
        let digest = format!("sha256:{}", hex::encode(hash.finish()));
        if digest != layer.digest {
            return Err(self.content(&format!("unexpected digest {digest}, expected {}", layer.digest)));
        }
        Ok(())
    }
}

/// A layer as it came, removed when it is done with: also when the pull fails or is called off.
struct Blob(PathBuf);

impl Drop for Blob {
    fn drop(&mut self) {
        match fs::remove_file(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%error, path = %self.0.display(), "left behind");
            }
            _ => {}
        }
    }
}

/// Unpacks beside the target and renames: a layer's directory is complete or not there. False: not the content promised.
fn extract(blob: &Path, partial: &Path, target: &Path, diff_id: &str) -> Result<bool, PullError> {
    fs::create_dir(partial)?;
    let mut file = fs::File::open(blob)?;
    let mut magic = [0; 2];
    let gzip = file.read(&mut magic)? == 2 && magic == [0x1f, 0x8b];
    let file = io::BufReader::with_capacity(1 << 16, fs::File::open(blob)?);
    let plain: Box<dyn Read> = if gzip { Box::new(flate2::read::MultiGzDecoder::new(file)) } else { Box::new(file) };
    let mut hashing = Hashing { from: plain, hash: Context::new(&SHA256) };
    unpack(&mut hashing, partial)?;
    // The archive's end marker may come before the stream's end.
    io::copy(&mut hashing, &mut io::sink())?;
    let right = format!("sha256:{}", hex::encode(hashing.hash.finish())) == diff_id;
    if !right {
        fs::remove_dir_all(partial)?;
        return Ok(false);
    }
    match fs::rename(partial, target) {
        // Another pull brought the same layer meanwhile.
        Err(_) if target.is_dir() => fs::remove_dir_all(partial)?,
        other => other?,
    }
    Ok(true)
}

struct Hashing {
    from: Box<dyn Read>,
    hash: Context,
}

impl Read for Hashing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.from.read(buffer)?;
        self.hash.update(&buffer[..count]);
        Ok(count)
    }
}

fn random() -> io::Result<[u8; 8]> {
    let mut bytes = [0; 8];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| io::Error::other("no entropy"))?;
    Ok(bytes)
}

fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
