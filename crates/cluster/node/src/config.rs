//! What the instance's bootstrap wrote for the kubelet, and the arguments it was started with.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// Why the kubelet cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file could not be read.
    #[error("{path}: {source}")]
    Read {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file or argument was not understood.
    #[error("{0}")]
    Malformed(String),
}

/// The parts of `KubeletConfiguration` (`kubelet.config.k8s.io/v1beta1`) that are used.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct KubeletConfiguration {
    /// Servers in pods' `resolv.conf`.
    #[serde(rename = "clusterDNS")]
    pub cluster_dns: Vec<String>,
    /// Last search domain of pods.
    pub cluster_domain: String,
    /// Most pods.
    pub max_pods: u32,
    /// Kept for the node's own programs: `cpu`, `memory`, `ephemeral-storage`.
    pub kube_reserved: BTreeMap<String, String>,
    /// Kept free: `memory.available`.
    pub eviction_hard: BTreeMap<String, String>,
    /// Who may speak to the kubelet's own server.
    pub authentication: Authentication,
}

/// `authentication` of the configuration.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Authentication {
    /// Certificates.
    pub x509: X509,
}

/// `authentication.x509`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct X509 {
    /// Authority of clients.
    pub client_ca_file: Option<PathBuf>,
}

impl Default for KubeletConfiguration {
    fn default() -> Self {
        Self {
            cluster_dns: Vec::new(),
            cluster_domain: "cluster.local".to_owned(),
            max_pods: 110,
            kube_reserved: BTreeMap::new(),
            eviction_hard: BTreeMap::from([("memory.available".to_owned(), "100Mi".to_owned())]),
            authentication: Authentication::default(),
        }
    }
}

/// Where the cluster is and how to ask for the first certificate.
#[derive(Debug, Clone)]
pub struct Bootstrap {
    /// `https://…`.
    pub server: String,
    /// The cluster's authority.
    pub ca_pem: Vec<u8>,
    /// What to present until there is a certificate.
    pub credential: BootstrapCredential,
}

/// The first credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BootstrapCredential {
    /// A token as it is.
    Token(String),
    /// A token made from the instance's role, for this cluster id (or name) and Region.
    Iam {
        /// Signed into the token.
        cluster: String,
        /// Of STS.
        region: String,
    },
}

#[derive(Deserialize)]
struct Kubeconfig {
    clusters: Vec<NamedCluster>,
    users: Vec<NamedUser>,
}

#[derive(Deserialize)]
struct NamedCluster {
    cluster: Cluster,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Cluster {
    server: String,
    certificate_authority: Option<PathBuf>,
}

#[derive(Deserialize)]
struct NamedUser {
    user: User,
}

#[derive(Deserialize)]
struct User {
    token: Option<String>,
    exec: Option<Exec>,
}

#[derive(Deserialize)]
struct Exec {
    #[serde(default)]
    args: Vec<String>,
}

impl Bootstrap {
    /// Reads a kubeconfig whose user has a token, or the `exec` of an AWS authenticator: its `-i` (or `--cluster-id`,
    /// `--cluster-name`) and `--region` are used; the program itself is not run, the token is made here.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let bad = |reason: &str| ConfigError::Malformed(format!("{}: {reason}", path.display()));
        let text = read(path)?;
        let config: Kubeconfig = serde_yaml_ng::from_slice(&text).map_err(|error| bad(&error.to_string()))?;
        let cluster = config.clusters.into_iter().next().ok_or_else(|| bad("no cluster"))?.cluster;
        let user = config.users.into_iter().next().ok_or_else(|| bad("no user"))?.user;
        let authority = cluster.certificate_authority.ok_or_else(|| bad("no certificate-authority"))?;
        let credential = match (user.token, user.exec) {
            (Some(token), _) => BootstrapCredential::Token(token),
            (None, Some(exec)) => {
                let after = |names: &[&str]| {
                    let position = exec.args.iter().position(|argument| names.contains(&argument.as_str()))?;
                    exec.args.get(position + 1).cloned()
                };
                BootstrapCredential::Iam {
                    cluster: after(&["-i", "--cluster-id", "--cluster-name"])
                        .ok_or_else(|| bad("exec names no cluster"))?,
                    region: after(&["--region"]).ok_or_else(|| bad("exec names no region"))?,
                }
            }
            (None, None) => return Err(bad("the user has neither token nor exec")),
        };
        Ok(Self { server: cluster.server, ca_pem: read(&authority)?, credential })
    }
}

fn read(path: &Path) -> Result<Vec<u8>, ConfigError> {
    fs::read(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })
}

/// Everything the kubelet is started with.
#[derive(Debug, Clone)]
pub struct Config {
    /// `KubeletConfiguration` file.
    pub kubelet_config: PathBuf,
    /// Kubeconfig of the first contact.
    pub bootstrap_kubeconfig: PathBuf,
    /// Certificates and volumes: `/var/lib/kubelet`.
    pub root: PathBuf,
    /// Images and containers: `/var/lib/eksile`.
    pub state: PathBuf,
    /// Network namespaces of pods, on a tmpfs.
    pub run: PathBuf,
    /// Containers' logs: `/var/log/pods`.
    pub logs: PathBuf,
    /// `/kubepods`; `/` is the instance's own group.
    pub cgroup: PathBuf,
    /// The metadata service.
    pub metadata: String,
    /// Whom image registries must be certified by.
    pub trust: PathBuf,
    /// The product's binary, for shims.
    pub program: PathBuf,
    /// Where the kubelet's own server listens.
    pub port: u16,
    /// Instead of the private DNS name.
    pub hostname_override: Option<String>,
    /// Instead of the primary private address.
    pub node_ip: Option<String>,
    /// Most pods, instead of the file's.
    pub max_pods: Option<u32>,
    /// `--node-labels`.
    pub labels: BTreeMap<String, String>,
    /// `--register-with-taints`: key, value, effect.
    pub taints: Vec<(String, String, String)>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            kubelet_config: "/etc/kubernetes/kubelet/config.json".into(),
            bootstrap_kubeconfig: "/var/lib/kubelet/bootstrap-kubeconfig".into(),
            root: "/var/lib/kubelet".into(),
            state: "/var/lib/eksile".into(),
            run: "/run/eksile/pods".into(),
            logs: "/var/log/pods".into(),
            cgroup: "/kubepods".into(),
            metadata: "http://169.254.169.254".to_owned(),
            trust: "/etc/ssl/certs/ca-certificates.crt".into(),
            program: "/proc/self/exe".into(),
            port: 10250,
            hostname_override: None,
            node_ip: None,
            max_pods: None,
            labels: BTreeMap::new(),
            taints: Vec::new(),
        }
    }
}

impl Config {
    /// Reads the kubelet's own arguments (`--name=value` or `--name value`).
    ///
    /// # Errors
    /// One that is not known, as the kubelet says it.
    pub fn from_arguments(arguments: &[String]) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            let Some(flag) = argument.strip_prefix("--").or_else(|| argument.strip_prefix('-')) else {
                return Err(ConfigError::Malformed(format!("unknown command {argument}")));
            };
            let (name, value) = match flag.split_once('=') {
                Some((name, value)) => (name, value.to_owned()),
                None => (flag, rest.next().cloned().unwrap_or_default()),
            };
            config.set(name, value)?;
        }
        Ok(config)
    }

    fn set(&mut self, name: &str, value: String) -> Result<(), ConfigError> {
        let bad = || ConfigError::Malformed(format!("invalid argument {value:?} for \"--{name}\" flag"));
        match name {
            "config" => self.kubelet_config = value.into(),
            "bootstrap-kubeconfig" => self.bootstrap_kubeconfig = value.into(),
            "root-dir" => self.root = value.into(),
            "state-dir" => self.state = value.into(),
            "run-dir" => self.run = value.into(),
            "pod-log-dir" => self.logs = value.into(),
            "cgroup-root" => self.cgroup = value.into(),
            "metadata" => self.metadata = value,
            "trust" => self.trust = value.into(),
            "program" => self.program = value.into(),
            "port" => self.port = value.parse().map_err(|_| bad())?,
            "hostname-override" => self.hostname_override = Some(value),
            "node-ip" => self.node_ip = Some(value),
            "max-pods" => self.max_pods = Some(value.parse().map_err(|_| bad())?),
            "node-labels" => self.labels.extend(pairs(&value).ok_or_else(bad)?),
            "register-with-taints" => {
                for (key, rest) in pairs(&value).ok_or_else(bad)? {
                    let (value, effect) = rest.split_once(':').ok_or_else(bad)?;
                    self.taints.push((key, value.to_owned(), effect.to_owned()));
                }
            }
            // Verbosity has no meaning here; upstream's scripts pass it.
            "v" => {}
            _ => return Err(ConfigError::Malformed(format!("unknown flag: --{name}"))),
        }
        Ok(())
    }

    /// The `KubeletConfiguration`, with the arguments' changes.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn kubelet(&self) -> Result<KubeletConfiguration, ConfigError> {
        let path = &self.kubelet_config;
        let mut configuration: KubeletConfiguration = serde_json::from_slice(&read(path)?)
            .map_err(|error| ConfigError::Malformed(format!("{}: {error}", path.display())))?;
        if let Some(most) = self.max_pods {
            configuration.max_pods = most;
        }
        Ok(configuration)
    }
}

fn pairs(text: &str) -> Option<BTreeMap<String, String>> {
    let pair = |text: &str| text.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()));
    text.split(',').filter(|part| !part.is_empty()).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_read_as_the_kubelet_reads_them() {
        let arguments = ["--node-labels=a=1,b/c=2", "--max-pods", "17", "--register-with-taints=x=y:NoSchedule"];
        let config = Config::from_arguments(&arguments.map(str::to_owned)).unwrap();
        assert_eq!(config.labels, BTreeMap::from([("a".into(), "1".into()), ("b/c".into(), "2".into())]));
        assert_eq!(config.max_pods, Some(17));
        assert_eq!(config.taints, [("x".to_owned(), "y".to_owned(), "NoSchedule".to_owned())]);
        let unknown = Config::from_arguments(&["--no-such".to_owned()]).unwrap_err();
        assert_eq!(unknown.to_string(), "unknown flag: --no-such");
    }

    #[test]
    fn a_bootstrap_kubeconfig_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let authority = directory.path().join("ca.crt");
        fs::write(&authority, "PEM").unwrap();
        let path = directory.path().join("kubeconfig");
        let write = |user: &str| {
            let authority = authority.display();
            let text = format!(
                "apiVersion: v1\nkind: Config\nclusters:\n- name: c\n  cluster: {{server: 'https://h', certificate-authority: {authority}}}\nusers:\n- name: u\n  user: {user}\n"
            );
            fs::write(&path, text).unwrap();
            Bootstrap::read(&path)
        };
        let read =
            write("{exec: {command: aws-iam-authenticator, args: [token, -i, ID, --region, us-west-2]}}").unwrap();
        assert_eq!((read.server.as_str(), read.ca_pem.as_slice()), ("https://h", b"PEM".as_slice()));
        let expected = BootstrapCredential::Iam { cluster: "ID".to_owned(), region: "us-west-2".to_owned() };
        assert_eq!(read.credential, expected);
        assert_eq!(write("{token: t}").unwrap().credential, BootstrapCredential::Token("t".to_owned()));
        assert!(write("{}").is_err());
    }
}
