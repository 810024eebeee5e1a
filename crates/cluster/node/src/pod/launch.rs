//! From a container of a pod to a running one: image, root file system, configuration, shim.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use eksile_base::files::write_private;
use k8s_openapi::api::core::v1::{Container as Template, Pod};
use nix::mount::{MntFlags, umount2};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::environment::{ConfigError, Facts, expand, variables};
use super::mounts::CONTROLLERS;
use super::oci::{self, Plan};
use super::share;
use super::source::Sources;
use super::task::aside;
use super::volumes::{Place, Source, Volumes};
use super::worker::{Wanted, unless_it_goes};
use crate::beneath;
use crate::context::Context;
use crate::images::{Image, PullError, Reference, mount_layers};
use crate::runtime::{Container, RuntimeError};
use crate::shim::protocol::{ShimConfig, files};
use eksile_linux::tree::remove_tree;

/// Below a container's directory: what its mounts bind of volumes, each mounted under a number.
const PARTS: &str = "parts";
/// Rotation of logs (`containerLogMaxSize`, `containerLogMaxFiles`).
const LOG_BYTES: u64 = 10 << 20;
const LOGS_KEPT: u32 = 4;

/// What is remembered of a container beside its state; `record.json` in its directory.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Record {
    /// Pod's uid.
    pub(crate) pod: String,
    /// The container's name.
    pub(crate) name: String,
    /// 0 for the first start.
    pub(crate) attempt: u32,
    /// Its id: 64 hexadecimal digits.
    pub(crate) id: String,
    /// Image's full reference.
    pub(crate) image: String,
    /// Image by digest.
    pub(crate) image_id: String,
    /// Its control group.
    pub(crate) cgroup: PathBuf,
    /// Where its log is.
    pub(crate) log: PathBuf,
    /// Where it may leave a last word, on the node.
    pub(crate) termination: PathBuf,
    /// The signal that asks it to end, as its image has it; none: SIGTERM.
    #[serde(default)]
    pub(crate) stop_signal: Option<String>,
}

/// Why a container did not start; each has its reason in the container's status.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LaunchError {
    #[error("{0}")]
    Name(String),
    #[error("{0}")]
    Pull(String),
    #[error("Container image \"{0}\" is not present with pull policy of Never")]
    Never(String),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Run(#[from] RuntimeError),
    #[error("{0}")]
    Create(#[from] io::Error),
    /// The pod is to go: nobody is told.
    #[error("called off")]
    CalledOff,
}

impl LaunchError {
    /// `status.containerStatuses[].state.waiting.reason`.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Name(_) => "InvalidImageName",
            Self::Pull(_) => "ErrImagePull",
            Self::Never(_) => "ErrImageNeverPull",
            Self::Config(_) => "CreateContainerConfigError",
            Self::Run(_) => "RunContainerError",
            Self::Create(_) | Self::CalledOff => "CreateContainerError",
        }
    }
}

/// Everything a launch needs.
pub(crate) struct Launch<'a> {
    pub(crate) context: &'a Context,
    pub(crate) pod: &'a Pod,
    pub(crate) wanted: &'a Template,
    pub(crate) attempt: u32,
    pub(crate) facts: &'a Facts,
    pub(crate) volumes: &'a Volumes,
    /// A pod that is to go does not wait for its image.
    pub(crate) wishes: watch::Receiver<Wanted>,
}

/// The pod's control group.
pub(crate) fn pod_cgroup(context: &Context, pod: &Pod) -> PathBuf {
    let class = match share::qos(pod) {
        "Guaranteed" => "",
        "Burstable" => "burstable",
        _ => "besteffort",
    };
    context.config.cgroup.join(class).join(format!("pod{}", pod.metadata.uid.as_deref().unwrap_or_default()))
}

/// Directory of a pod's logs.
pub(crate) fn log_directory(context: &Context, pod: &Pod) -> PathBuf {
    let part = |text: &Option<String>| text.clone().unwrap_or_default();
    let meta = &pod.metadata;
    context.config.logs.join(format!("{}_{}_{}", part(&meta.namespace), part(&meta.name), part(&meta.uid)))
}

impl Launch<'_> {
    fn uid(&self) -> &str {
        self.pod.metadata.uid.as_deref().unwrap_or_default()
    }

    fn sources(&self) -> Sources<'_> {
        Sources { api: &self.context.api, namespace: self.pod.metadata.namespace.as_deref().unwrap_or_default() }
    }

    /// Pulls if need be, makes and starts the container.
    pub(crate) async fn run(&self) -> Result<(Container, Record), LaunchError> {
        let (reference, image) = self.image().await?;
        let sources = self.sources();
        let variables = variables(&sources, self.pod, self.wanted, self.facts).await?;
        let id = new_id()?;
        let directory = self.context.config.state.join("containers").join(&id);
        fs::create_dir_all(&directory)?;
        let record = self.record(&id, &reference, &image);
        let made = self.make(&directory, &record, &image, variables);
        let events = &self.context.events;
        let name = &self.wanted.name;
        match made {
            Ok(()) => events.normal(self.pod, Some(name), "Created", format!("Created container: {name}")),
            Err(error) => {
                discard(&Container::at(&directory)).await?;
                return Err(error);
            }
        }
        let container = Container::at(&directory);
        match container.start(&self.context.config.program).await {
            Ok(_) => {
                events.normal(self.pod, Some(name), "Started", format!("Started container {name}"));
                Ok((container, record))
            }
            Err(error) => {
                discard(&container).await?;
                Err(error.into())
            }
        }
    }

    async fn image(&self) -> Result<(String, Image), LaunchError> {
        let name = self.wanted.image.clone().unwrap_or_default();
        let reference = Reference::parse(&name)
            .map_err(|reason| LaunchError::Name(format!("Failed to apply default image tag \"{name}\": {reason}")))?;
        let full = reference.to_string();
        let here = self.context.images.find(&full);
        let policy = self.wanted.image_pull_policy.as_deref().unwrap_or("IfNotPresent");
        let events = &self.context.events;
        let container = Some(self.wanted.name.as_str());
        match (here, policy) {
            (Some(image), "IfNotPresent" | "Never") => {
                let text = format!("Container image \"{name}\" already present on machine");
                events.normal(self.pod, container, "Pulled", text);
                Ok((full, image))
            }
            (None, "Never") => Err(LaunchError::Never(name)),
            _ => {
                events.normal(self.pod, container, "Pulling", format!("Pulling image \"{name}\""));
                let begin = std::time::Instant::now();
                let pull = async {
                    let secret = self.sources().pull_secret(self.pod, &reference.registry).await;
                    self.context.puller.pull(&name, secret.as_deref()).await
                };
                let pulled = unless_it_goes(self.wishes.clone(), pull).await;
                let image = pulled.ok_or(LaunchError::CalledOff)?.map_err(|error| pull_failed(&name, &error))?;
                let took = begin.elapsed().as_millis();
                let text = format!(
                    "Successfully pulled image \"{name}\" in {took}ms ({took}ms including waiting). Image size: {} bytes.",
                    image.size
                );
                events.normal(self.pod, container, "Pulled", text);
                Ok((full, image))
            }
        }
    }

    fn record(&self, id: &str, reference: &str, image: &Image) -> Record {
        let repository = reference.split_once('@').map_or(reference, |(name, _)| name);
        let repository =
            repository.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')).map_or(repository, |(name, _)| name);
        let own = self.context.config.root.join("pods").join(self.uid()).join("containers").join(&self.wanted.name);
        Record {
            pod: self.uid().to_owned(),
            name: self.wanted.name.clone(),
            attempt: self.attempt,
            id: id.to_owned(),
            image: reference.to_owned(),
            image_id: format!("{repository}@{}", image.digest),
            cgroup: pod_cgroup(self.context, self.pod).join(id),
            log: log_directory(self.context, self.pod).join(&self.wanted.name).join(format!("{}.log", self.attempt)),
            termination: own.join(&id[..8]),
            stop_signal: image.config.stop_signal.clone(),
        }
    }

    /// Writes the container's directory and mounts its root.
    fn make(
        &self,
        directory: &Path,
        record: &Record,
        image: &Image,
        variables: std::collections::BTreeMap<String, String>,
    ) -> Result<(), LaunchError> {
        let rootfs = directory.join("rootfs");
        self.mount_root(directory, image)?;
        let binds = self.binds(directory, record, &variables)?;
        let spec = self.pod.spec.as_ref();
        let on_node = spec.is_some_and(|spec| spec.host_network == Some(true));
        let hostname = if on_node { self.context.identity.name.clone() } else { self.hostname()? };
        let cover = self.context.config.run.join("cgroup");
        for controller in CONTROLLERS {
            fs::create_dir_all(cover.join(controller))?;
        }
        let plan = Plan {
            pod: self.pod,
            container: self.wanted,
            image: &image.config,
            variables,
            rootfs: &rootfs,
            netns: (!on_node).then(|| self.context.network.namespace(self.uid()).path().to_owned()),
            ipc: (spec.and_then(|spec| spec.host_ipc) != Some(true)).then(|| self.context.ipc(self.uid())),
            hostname,
            cgroup: &record.cgroup,
            cover: &cover,
            binds,
        };
        let config = ShimConfig {
            id: record.id.clone(),
            log_path: record.log.clone(),
            log_root: self.context.config.logs.clone(),
            log_max_bytes: LOG_BYTES,
            log_keep: LOGS_KEPT,
            cgroup: record.cgroup.clone(),
            limits: share::limits(self.wanted),
            seccomp: oci::seccomp(self.pod, self.wanted),
        };
        // Only root reads them: variables may be secrets.
        write_private(&directory.join(files::SPEC), oci::build(&plan)?.to_string().as_bytes())?;
        write_private(&directory.join(files::SHIM), &serde_json::to_vec(&config).map_err(io::Error::from)?)?;
        write_private(&directory.join("record.json"), &serde_json::to_vec(record).map_err(io::Error::from)?)?;
        Ok(())
    }

    fn mount_root(&self, directory: &Path, image: &Image) -> io::Result<()> {
        let layers: Vec<PathBuf> = image.layers.iter().map(|layer| self.context.images.layer(layer)).collect();
        mount_layers(&layers, directory)
    }

    /// The short name, or with `setHostnameAsFQDN` the one that names the pod in the cluster's domain.
    fn hostname(&self) -> Result<String, ConfigError> {
        let spec = self.pod.spec.as_ref();
        let name = spec.and_then(|spec| spec.hostname.clone()).or_else(|| self.pod.metadata.name.clone());
        let mut name = name.unwrap_or_default();
        // The kernel's limit is 64, with the end.
        name.truncate(63);
        let whole = spec.filter(|spec| spec.set_hostname_as_fqdn == Some(true));
        let Some(subdomain) = whole.and_then(|spec| spec.subdomain.as_deref()) else { return Ok(name) };
        let namespace = self.pod.metadata.namespace.as_deref().unwrap_or_default();
        let full = format!("{name}.{subdomain}.{namespace}.svc.{}", self.context.kubelet.cluster_domain);
        if full.len() > 64 {
            let text = format!(
                "failed to construct FQDN from pod hostname and cluster domain, FQDN {full} is too long (64 characters is the max, {} characters requested)",
                full.len()
            );
            return Err(ConfigError(text));
        }
        Ok(full)
    }

    fn binds(
        &self,
        container: &Path,
        record: &Record,
        variables: &std::collections::BTreeMap<String, String>,
    ) -> Result<Vec<(PathBuf, String, bool)>, LaunchError> {
        let directory = self.context.config.root.join("pods").join(self.uid());
        let mut binds = vec![
            (directory.join("etc-hosts"), "/etc/hosts".to_owned(), false),
            (directory.join("resolv.conf"), "/etc/resolv.conf".to_owned(), false),
            (directory.join("hostname"), "/etc/hostname".to_owned(), false),
        ];
        if let Some(parent) = record.termination.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(&record.termination, "")?;
        // A container of any user may leave a last word.
        fs::set_permissions(&record.termination, std::os::unix::fs::PermissionsExt::from_mode(0o666))?;
        let path = self.wanted.termination_message_path.clone().unwrap_or_else(|| "/dev/termination-log".to_owned());
        binds.push((record.termination.clone(), path, false));
        for mount in self.wanted.volume_mounts.iter().flatten() {
            let mut mount = mount.clone();
            if let Some(expression) = mount.sub_path_expr.take() {
                mount.sub_path = Some(expand(&expression, variables));
            }
            let Source { place, read_only } = self.volumes.source(self.pod, &mount)?;
            let source = match place {
                Place::Whole(path) => path,
                Place::Part(found) => {
                    // Where it lies now is the container's to change; here it stays what it is.
                    fs::create_dir_all(container.join(PARTS))?;
                    let target = container.join(PARTS).join(binds.len().to_string());
                    beneath::bind(&found, &target)?;
                    target
                }
            };
            binds.retain(|(_, destination, _)| *destination != mount.mount_path);
            binds.push((source, mount.mount_path.clone(), read_only));
        }
        Ok(binds)
    }
}

fn pull_failed(name: &str, error: &PullError) -> LaunchError {
    LaunchError::Pull(format!("failed to pull image \"{name}\": {error}"))
}

/// Removes what is left of a container that does not run.
pub(crate) async fn discard(container: &Container) -> io::Result<()> {
    let directory = container.directory().to_owned();
    aside(move || remove(&directory)).await
}

/// What [`discard`] does. Blocks for as long as what the container has left is deep.
fn remove(directory: &Path) -> io::Result<()> {
    let parts = fs::read_dir(directory.join(PARTS)).into_iter().flatten().flatten();
    for mounted in parts.map(|entry| entry.path()).chain([directory.join("rootfs")]) {
        match umount2(&mounted, MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW) {
            // Not mounted (any more).
            Ok(()) | Err(nix::Error::EINVAL | nix::Error::ENOENT) => {}
            Err(error) => return Err(error.into()),
        }
    }
    remove_tree(directory)
}

fn new_id() -> io::Result<String> {
    let mut bytes = [0; 32];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| io::Error::other("no entropy"))?;
    Ok(hex::encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// On a runtime with one thread anything else stands still while one task blocks.
    #[tokio::test]
    async fn what_a_container_leaves_holds_up_nobody() {
        let base = tempfile::tempdir().unwrap();
        let directory = base.path().join("container");
        for number in 0..100 {
            let below = directory.join("upper").join(number.to_string());
            fs::create_dir_all(&below).unwrap();
            (0..30).for_each(|file| fs::write(below.join(file.to_string()), "").unwrap());
        }
        static TURNS: AtomicU32 = AtomicU32::new(0);
        let other = tokio::spawn(async {
            loop {
                TURNS.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
            }
        });
        discard(&Container::at(&directory)).await.unwrap();
        assert!(!directory.exists());
        assert!(TURNS.load(Ordering::Relaxed) > 0);
        other.abort();
    }
}
