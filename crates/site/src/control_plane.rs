//! The control planes that this site hosts: one process a cluster, listening on the fixed addresses of its members.

mod access;
mod config;
mod plan;

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    pin::Pin,
    process::Command,
    time::{Duration, Instant},
};

use eksile_base::files;
use eksile_eks::records::{Cluster, ObservedCluster, WantedCluster};
use eksile_linux::{Error as LinuxError, Namespace, process};
use eksile_store::{RecordError, Scope, View};
use rustix::process::Signal;
use serde::Deserialize;

use crate::{
    Outcome,
    outbox::{Outbox, OutboxError},
    removals::Removals,
    troubles::Troubles,
};
pub use plan::{Seen, Step, plan};

/// Port of the API on the control plane's fixed addresses, as on EKS.
pub const API_PORT: u16 = 443;

/// Lets callers on the host's loopback in at a place of the fabric.
pub trait Loopback: Send + Sync {
    /// Keeps a listener under `name` whose callers are connected to `targets` from `place`; answers its port.
    fn forward<'a>(
        &'a self,
        name: &'a str,
        port: Option<u16>,
        place: &'a str,
        targets: Vec<SocketAddr>,
    ) -> Pin<Box<dyn Future<Output = Result<u16, String>> + Send + 'a>>;

    /// Ends a listener.
    fn end<'a>(&'a self, name: &'a str) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>>;
}

/// How long a control plane that is ended may take for it.
const END: Duration = Duration::from_secs(5);

/// Why a control plane could not be brought where it should be; tried again at the next change.
#[derive(Debug, thiserror::Error)]
pub enum ControlPlaneError {
    /// A record cannot be read.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// An observation cannot be written.
    #[error(transparent)]
    Outbox(#[from] OutboxError),
    /// A process or namespace.
    #[error(transparent)]
    Linux(#[from] LinuxError),
    /// One that was ended and is there still.
    #[error("process {0} was ended and is there still")]
    Stays(i32),
    /// A file.
    #[error("{0}: {1}")]
    File(PathBuf, std::io::Error),
    /// A configuration that cannot be written down.
    #[error("configuration: {0}")]
    Json(#[from] serde_json::Error),
    /// A member's address.
    #[error("{0:?} is no address")]
    Address(String),
    /// The loopback listener.
    #[error("loopback listener: {0}")]
    Loopback(String),
}

/// What a control plane writes into its ready file once it serves.
#[derive(Debug, Deserialize)]
struct ReadyFile {
    certificate_authority_data: String,
}

/// What is remembered from pass to pass.
#[derive(Debug, Default)]
pub struct Progress {
    removals: Removals,
    troubles: Troubles,
}

/// Hosts control planes.
pub struct ControlPlanes<'a> {
    /// Folder of the site's own data; each cluster gets one below.
    pub dir: &'a Path,
    /// The program to start.
    pub program: &'a Path,
    /// Where callers on the host come in.
    pub loopback: &'a dyn Loopback,
    /// Observations.
    pub outbox: &'a Outbox,
    /// Authority of the Region's endpoints, PEM.
    pub public_ca: &'a Path,
    /// Address of the Region's STS inside the fabric.
    pub sts: SocketAddr,
}

impl ControlPlanes<'_> {
    /// Brings every control plane of `site` closer to what is wanted, each whatever becomes of the others.
    pub async fn reconcile(&self, view: &View, site: &str, progress: &mut Progress) -> Outcome {
        let mut outcome = Outcome::default();
        let now = Instant::now();
        let (mut known, mut unreadable) = (BTreeSet::new(), BTreeSet::new());
        for each in view.each_record::<Cluster>() {
            let (scope, cluster) = match each {
                Ok(read) => read,
                Err(error) => {
                    let why = error.to_string();
                    if progress.troubles.note(&why, "", "", now) {
                        tracing::warn!(why, "a cluster's record cannot be read");
                    }
                    outcome.failed = true;
                    unreadable.insert(why);
                    continue;
                }
            };
            if cluster.site != site {
                continue;
            }
            let wanted = format!("{:?}", cluster.wanted);
            known.insert(cluster.id.clone());
            self.keep_access(view, &scope, &cluster, &mut progress.troubles, &mut outcome);
            if progress.troubles.rests(&cluster.id, &wanted, now) {
                outcome.rests(progress.troubles.again(&cluster.id));
                continue;
            }
            match self.bring(&scope, &cluster, &mut progress.removals, &mut outcome).await {
                Ok(()) => progress.troubles.over(&cluster.id),
                Err(error) => {
                    if progress.troubles.note(&cluster.id, &wanted, &error.to_string(), now) {
                        tracing::warn!(%error, cluster.id, "a control plane fails; it is tried again, and others go on");
                    }
                    outcome.rests(progress.troubles.again(&cluster.id));
                }
            }
        }
        let known = |id: &str| known.contains(access::about(id));
        progress.troubles.keep(|id| known(id) || unreadable.contains(id));
        outcome
    }

    async fn bring(
        &self,
        scope: &Scope,
        cluster: &Cluster,
        removals: &mut Removals,
        outcome: &mut Outcome,
    ) -> Result<(), ControlPlaneError> {
        let seen = self.observe(cluster)?;
        for step in plan(cluster, &seen) {
            if !self.apply(scope, cluster, (&seen, step), removals).await? {
                outcome.waiting = true;
                break;
            }
        }
        let process = process::Identity::read(&self.folder(cluster).join("pid"))?;
        outcome.running.extend(process.filter(|pid| pid.is_alive()));
        outcome.waiting |= cluster.wanted == WantedCluster::Present && seen.places && seen.authority.is_none();
        Ok(())
    }

    fn folder(&self, cluster: &Cluster) -> PathBuf {
        self.dir.join("clusters").join(&cluster.id)
    }

    fn observe(&self, cluster: &Cluster) -> Result<Seen, ControlPlaneError> {
        let folder = self.folder(cluster);
        let alive = process::Identity::read(&folder.join("pid"))?.is_some_and(process::Identity::is_alive);
        let authority = match read(&folder.join("ready.json"))? {
            Some(text) if alive => Some(serde_json::from_slice::<ReadyFile>(&text)?.certificate_authority_data),
            _ => None,
        };
        Ok(Seen { alive, places: has_places(cluster), authority })
    }

    /// False: not done yet, and what comes after must wait.
    async fn apply(
        &self,
        scope: &Scope,
        cluster: &Cluster,
        (seen, step): (&Seen, Step),
        removals: &mut Removals,
    ) -> Result<bool, ControlPlaneError> {
        let folder = self.folder(cluster);
        match step {
            Step::Start => self.start(scope, cluster, &folder)?,
            Step::Stop => self.stop(&folder).await?,
            Step::Forward => self.forward_and_report(cluster, seen).await?,
            Step::ReportDown => self.report(cluster, |observed| observed.ready = false).await?,
            Step::Remove => {
                self.loopback.end(&listener(cluster)).await.map_err(ControlPlaneError::Loopback)?;
                return removals.remove(&folder).await.map_err(|error| ControlPlaneError::File(folder, error));
            }
            Step::ReportGone => {
                self.report(cluster, |observed| (observed.ready, observed.gone) = (false, true)).await?;
            }
        }
        Ok(true)
    }

    fn start(&self, scope: &Scope, cluster: &Cluster, folder: &Path) -> Result<(), ControlPlaneError> {
        let ready = folder.join("ready.json");
        if let Err(error) = std::fs::remove_file(&ready)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            return Err(ControlPlaneError::File(ready, error));
        }
        let file = folder.join("config.json");
        let config = config::config(scope, cluster, folder, self.public_ca, self.sts)?;
        write(&file, &serde_json::to_vec_pretty(&config)?)?;
        let mut command = Command::new(self.program);
        command.arg("control-plane").arg("--config").arg(&file);
        process::spawn_detached(command, &folder.join("pid"))?;
        Ok(())
    }

    async fn stop(&self, folder: &Path) -> Result<(), ControlPlaneError> {
        if let Some(identity) = process::Identity::read(&folder.join("pid"))?.filter(|pid| pid.is_alive()) {
            identity.signal(Signal::KILL)?;
            let ended = tokio::time::timeout(END, identity.ended()).await;
            ended.map_err(|_| ControlPlaneError::Stays(identity.pid))??;
        }
        Ok(())
    }

    async fn forward_and_report(&self, cluster: &Cluster, seen: &Seen) -> Result<(), ControlPlaneError> {
        let known = self.outbox.observed::<ObservedCluster>(&cluster.id)?;
        let targets = config::addresses(cluster)?;
        let port = known.and_then(|known| known.loopback_port);
        let forwarded = self.loopback.forward(&listener(cluster), port, "onprem", targets).await;
        let port = forwarded.map_err(ControlPlaneError::Loopback)?;
        self.report(cluster, |observed| {
            observed.ready = true;
            observed.loopback_port = Some(port);
            observed.certificate_authority_data.clone_from(&seen.authority);
        })
        .await
    }

    async fn report(
        &self,
        cluster: &Cluster,
        change: impl FnOnce(&mut ObservedCluster),
    ) -> Result<(), ControlPlaneError> {
        let known = self.outbox.observed::<ObservedCluster>(&cluster.id)?;
        let mut observed = known.unwrap_or_else(|| ObservedCluster {
            cluster_id: cluster.id.clone(),
            ready: false,
            certificate_authority_data: None,
            loopback_port: None,
            health: Vec::new(),
            gone: false,
        });
        change(&mut observed);
        Ok(self.outbox.report(&observed).await?)
    }
}

/// Whether the members' namespaces are there.
fn has_places(cluster: &Cluster) -> bool {
    let mut members = cluster.members.iter();
    !cluster.members.is_empty() && members.all(|member| Namespace::named(&member.instance_id).exists())
}

fn listener(cluster: &Cluster) -> String {
    format!("cluster {}", cluster.name)
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, ControlPlaneError> {
    match std::fs::read(path) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(ControlPlaneError::File(path.to_owned(), error)),
    }
}

/// Writes a file whole or not at all, for its owner only; leaves one with the same content alone.
fn write(path: &Path, content: &[u8]) -> Result<(), ControlPlaneError> {
    if read(path)?.as_deref() == Some(content) {
        return Ok(());
    }
    let folder = path.parent().unwrap_or(Path::new("/"));
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.and_then(|()| files::replace(path, content, files::PRIVATE))
        .map_err(|error| ControlPlaneError::File(path.to_owned(), error))
}
