//! What a control plane is told: one JSON file, unknown fields refused.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use serde::Deserialize;

/// The configuration of one cluster's control plane.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Whose control plane it is.
    pub cluster: Cluster,
    /// Folder of `store.db` and `pki/`.
    pub data: PathBuf,
    /// Where it listens.
    pub listeners: Vec<Listener>,
    /// Names and addresses of the serving certificate, beside those of the listeners and the `kubernetes` service.
    #[serde(default)]
    pub serving_names: Vec<String>,
    /// Service CIDR; its first address is the `kubernetes` service's.
    pub service_cidr: String,
    /// A file of static tokens (`token,user,uid,"groups"`), for tests and races.
    #[serde(default)]
    pub static_tokens: Option<PathBuf>,
    /// How IAM tokens are verified; without it none are.
    #[serde(default)]
    pub iam: Option<Iam>,
    /// Network namespace from which kubelets are dialled; the process's own when missing.
    #[serde(default)]
    pub kubelet_netns: Option<PathBuf>,
    /// Longest life of a service-account token, seconds (`--service-account-max-token-expiration`): a day, as EKS has it.
    #[serde(default = "day")]
    pub longest_token_seconds: i64,
    /// Whether controllers run; off only to look at the API server by itself (the oracle does).
    #[serde(default = "on")]
    pub controllers: bool,
    /// Written when all listeners serve, see [`crate::Ready`].
    #[serde(default)]
    pub ready_file: Option<PathBuf>,
}

fn day() -> i64 {
    24 * 60 * 60
}

fn on() -> bool {
    true
}

/// A cluster's identity.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    /// Name.
    pub name: String,
    /// The cluster's id; for local clusters the identifier in IAM tokens.
    pub id: String,
    /// Kubernetes version, `1.33`.
    pub version: String,
    /// Account.
    pub account: String,
    /// Region.
    pub region: String,
}

/// A socket.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listener {
    /// Address and port; port 0 takes a free one (see `ready_file`).
    pub address: SocketAddr,
    /// Network namespace in which the socket is made.
    #[serde(default)]
    pub netns: Option<PathBuf>,
}

/// How IAM tokens are verified.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Iam {
    /// Where the Region's STS answers (TLS).
    pub sts_address: SocketAddr,
    /// Network namespace from which it is reached.
    #[serde(default)]
    pub sts_netns: Option<PathBuf>,
    /// PEM of the CA of its certificate.
    pub sts_ca: PathBuf,
    /// The value of `x-k8s-aws-id`: the cluster's id for local clusters, its name for others.
    pub cluster_identifier: String,
    /// JSON of the creator, access entries and instances; read again when it changes.
    pub access_file: PathBuf,
    /// Name in the certificate of STS, for tokens that name none of AWS's hosts; the Region's name for STS when
    /// missing.
    #[serde(default)]
    pub sts_name: Option<String>,
    /// This installation's own AWS listeners, `HOST:PORT`, that tokens may be made against.
    #[serde(default)]
    pub own_endpoints: Vec<String>,
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{0}: {1}")]
    Read(PathBuf, std::io::Error),
    /// It is not what is expected.
    #[error("{0}: {1}")]
    Parse(PathBuf, serde_json::Error),
    /// The service CIDR is not `A.B.C.D/N`.
    #[error("service_cidr {0}: not an IPv4 block with room for a service")]
    Cidr(String),
    /// The version is not `1.N`.
    #[error("version {0}: not like 1.33")]
    Version(String),
}

impl Config {
    /// Reads a configuration.
    ///
    /// # Errors
    /// See [`ConfigError`].
    pub fn read(path: &std::path::Path) -> Result<Self, ConfigError> {
        let text = std::fs::read(path).map_err(|e| ConfigError::Read(path.to_owned(), e))?;
        let config: Self = serde_json::from_slice(&text).map_err(|e| ConfigError::Parse(path.to_owned(), e))?;
        config.service_address()?;
        config.minor()?;
        Ok(config)
    }

    /// The address of the `kubernetes` service: the block's first.
    ///
    /// # Errors
    /// When the block is not one.
    pub fn service_address(&self) -> Result<IpAddr, ConfigError> {
        let refuse = || ConfigError::Cidr(self.service_cidr.clone());
        let (base, length) = self.service_cidr.split_once('/').ok_or_else(refuse)?;
        let base: std::net::Ipv4Addr = base.parse().map_err(|_| refuse())?;
        let length: u32 = length.parse().map_err(|_| refuse())?;
        if length > 28 {
            return Err(refuse());
        }
        Ok(IpAddr::V4(std::net::Ipv4Addr::from_bits(base.to_bits() + 1)))
    }

    /// The minor version.
    ///
    /// # Errors
    /// When the version is not `1.N`.
    pub fn minor(&self) -> Result<u32, ConfigError> {
        let refuse = || ConfigError::Version(self.cluster.version.clone());
        self.cluster.version.strip_prefix("1.").ok_or_else(refuse)?.parse().map_err(|_| refuse())
    }
}
