//! The node's two certificates: asked for, kept in one file each, renewed before they expire.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use eksile_base::files;
use serde_json::{Value, json};
use x509_cert::Certificate;
use x509_cert::der::DecodePem;

use super::csr::{self, CsrError};
use crate::api::{Api, ApiError};

const BASE: &str = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
/// How long a request may stay unanswered before a new one is made (as upstream).
const PATIENCE: Duration = Duration::from_secs(900);

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// The API server.
    #[error("certificate signing request: {0}")]
    Api(#[from] ApiError),
    /// The request.
    #[error(transparent)]
    Csr(#[from] CsrError),
    /// Denied, failed, or never answered.
    #[error("certificate signing request {name}: {outcome}")]
    Refused {
        /// Its name.
        name: String,
        /// What became of it.
        outcome: String,
    },
    /// What came, or was kept, is no certificate.
    #[error("certificate: {0}")]
    Malformed(String),
    /// The disk refused.
    #[error("{path}: {source}")]
    Disk {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Which certificate.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) node: String,
    pub(crate) signer: &'static str,
    pub(crate) usage: &'static str,
    pub(crate) dns: Vec<String>,
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) file: PathBuf,
}

impl Wanted {
    /// For the kubelet as a client.
    pub(crate) fn client(node: &str, root: &Path) -> Self {
        Self {
            node: node.to_owned(),
            signer: "kubernetes.io/kube-apiserver-client-kubelet",
            usage: "client auth",
            dns: Vec::new(),
            addresses: Vec::new(),
            file: root.join("pki/kubelet-client-current.pem"),
        }
    }

    /// For the kubelet's own server.
    pub(crate) fn serving(node: &str, address: IpAddr, root: &Path) -> Self {
        Self {
            node: node.to_owned(),
            signer: "kubernetes.io/kubelet-serving",
            usage: "server auth",
            dns: vec![node.to_owned()],
            addresses: vec![address],
            file: root.join("pki/kubelet-server-current.pem"),
        }
    }

    /// The kept certificate and key, if they are still good for a while.
    pub(crate) fn kept(&self) -> Option<Kept> {
        let disk = |source| CertificateError::Disk { path: self.file.clone(), source };
        let kept = match fs::read(&self.file) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
            read => read.map_err(disk).and_then(Kept::read),
        };
        let kept = kept.inspect_err(|error| tracing::warn!(%error, "a kept certificate is of no use")).ok()?;
        (kept.expires > jiff::Timestamp::now() && self.covers(&kept)).then_some(kept)
    }

    /// An instance may come back with another address; then the kept serving certificate is of no use.
    fn covers(&self, kept: &Kept) -> bool {
        self.addresses.iter().all(|address| kept.names.contains(&address.to_string()))
    }

    /// Asks for a certificate, waits for it, keeps it.
    pub(crate) async fn obtain(&self, api: &Api) -> Result<Kept, CertificateError> {
        let made = csr::for_node(&self.node, &self.dns, &self.addresses)?;
        let request = json!({
            "apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest",
            "metadata": {"generateName": "csr-"},
            "spec": {
                "request": STANDARD.encode(&made.request_pem),
                "signerName": self.signer,
                "usages": ["digital signature", self.usage],
            },
        });
        let created: Value = api.post(BASE, &request).await?;
        let name = created["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let refused = |outcome: &str| CertificateError::Refused { name: name.clone(), outcome: outcome.to_owned() };
        let certificate = tokio::time::timeout(PATIENCE, wait(api, &created, &refused))
            .await
            .map_err(|_| refused("not answered within 15 minutes"))??;
        let mut pem = certificate;
        pem.extend_from_slice(made.key_pem.as_bytes());
        let kept = Kept::read(pem)?;
        self.keep(&kept.pem).map_err(|source| CertificateError::Disk { path: self.file.clone(), source })?;
        Ok(kept)
    }

    fn keep(&self, pem: &[u8]) -> std::io::Result<()> {
        if let Some(parent) = self.file.parent() {
            fs::create_dir_all(parent)?;
        }
        files::replace(&self.file, pem, files::PRIVATE)
    }
}

/// Watches the request until it is issued, denied or failed.
async fn wait(
    api: &Api,
    created: &Value,
    refused: &impl Fn(&str) -> CertificateError,
) -> Result<Vec<u8>, CertificateError> {
    let name = created["metadata"]["name"].as_str().unwrap_or_default();
    loop {
        // Read once per watch: a watch may end, and the answer may have come before it began.
        let current: Value = api.get(&format!("{BASE}/{name}")).await?;
        if let Some(done) = outcome(&current, refused) {
            return done;
        }
        let version = current["metadata"]["resourceVersion"].as_str().unwrap_or("0");
        let query = format!("{BASE}?watch=true&fieldSelector=metadata.name%3D{name}&resourceVersion={version}");
        let mut watch = api.watch(&query).await?;
        while let Some(event) = watch.next().await? {
            if event.kind == "DELETED" {
                return Err(refused("deleted"));
            }
            if event.kind == "ERROR" {
                break;
            }
            if let Some(done) = outcome(&event.object, refused) {
                return done;
            }
        }
    }
}

fn outcome(csr: &Value, refused: &impl Fn(&str) -> CertificateError) -> Option<Result<Vec<u8>, CertificateError>> {
    for condition in csr["status"]["conditions"].as_array().into_iter().flatten() {
        if let Some(kind @ ("Denied" | "Failed")) = condition["type"].as_str() {
            let message = condition["message"].as_str().unwrap_or_default();
            return Some(Err(refused(&format!("{kind}: {message}"))));
        }
    }
    let issued = csr["status"]["certificate"].as_str().filter(|text| !text.is_empty())?;
    Some(STANDARD.decode(issued).map_err(|error| CertificateError::Malformed(error.to_string())))
}

/// A certificate with its key.
#[derive(Clone)]
pub(crate) struct Kept {
    /// Certificates, then the key.
    pub(crate) pem: Vec<u8>,
    pub(crate) expires: jiff::Timestamp,
    begins: jiff::Timestamp,
    names: Vec<String>,
}

impl Kept {
    fn read(pem: Vec<u8>) -> Result<Self, CertificateError> {
        let bad = |error: x509_cert::der::Error| CertificateError::Malformed(error.to_string());
        let text = String::from_utf8_lossy(&pem);
        let end = "-----END CERTIFICATE-----\n";
        let first = text.find(end).map_or(text.as_ref(), |position| &text[..position + end.len()]);
        let certificate = Certificate::from_pem(first).map_err(bad)?;
        let tbs = certificate.tbs_certificate();
        let seconds = |time: x509_cert::time::Time| {
            jiff::Timestamp::from_second(time.to_unix_duration().as_secs().cast_signed())
                .map_err(|error| CertificateError::Malformed(error.to_string()))
        };
        let validity = tbs.validity();
        let names = names(&certificate);
        Ok(Self { expires: seconds(validity.not_after)?, begins: seconds(validity.not_before)?, names, pem })
    }

    /// How long until a new one should be asked for: at four fifths of its life.
    pub(crate) fn renew_in(&self) -> Duration {
        let at = self.begins.as_second() + (self.expires.as_second() - self.begins.as_second()) / 5 * 4;
        let left = at - jiff::Timestamp::now().as_second();
        Duration::from_secs(left.max(1).cast_unsigned())
    }
}

fn names(certificate: &Certificate) -> Vec<String> {
    use x509_cert::ext::pkix::SubjectAltName;
    use x509_cert::ext::pkix::name::GeneralName;
    let found = certificate.tbs_certificate().get_extension::<SubjectAltName>();
    let Ok(Some((_, names))) = found else { return Vec::new() };
    let text = |name: GeneralName| match name {
        GeneralName::DnsName(name) => Some(name.to_string()),
        GeneralName::IpAddress(bytes) => {
            <[u8; 4]>::try_from(bytes.as_bytes()).ok().map(|bytes| IpAddr::from(bytes).to_string())
        }
        _ => None,
    };
    names.0.into_iter().filter_map(text).collect()
}
