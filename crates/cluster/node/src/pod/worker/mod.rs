//! One pod's worker: brings the pod closer to what is wanted whenever something happened, and tells how it is.

mod leave;
mod start;
mod tell;

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Pod;
use serde_json::Value;
use tokio::sync::{mpsc, watch};

use super::environment::Facts;
use super::handler::Target;
use super::late;
use super::launch::{Record, discard};
use super::probe::{Finding, Probes};
use super::slot::{Run, Slot};
use super::status::Memory;
use super::verdict::{Verdict, is_over};
use super::volumes::Volumes;
use crate::context::Context;
use crate::runtime::{Container, RuntimeError};
use crate::shim::protocol::Exit;

/// Volumes are looked at again this often (`syncFrequency`).
const REFRESH: Duration = Duration::from_secs(60);
const RETRY: Duration = Duration::from_secs(2);

/// What is wanted of a pod.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) pod: Arc<Pod>,
    /// Its object is gone: only the cleaning is left.
    pub(crate) gone: bool,
}

impl Wanted {
    /// Whether the pod should go.
    fn leaves(&self) -> bool {
        self.gone || self.pod.metadata.deletion_timestamp.is_some()
    }
}

/// What comes of `work`, unless the pod should go meanwhile; then the work is dropped.
pub(crate) async fn unless_it_goes<T>(mut wishes: watch::Receiver<Wanted>, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        done = work => Some(done),
        Ok(_) = wishes.wait_for(Wanted::leaves) => None,
    }
}

/// What happened to a container.
pub(crate) enum Happened {
    Ended {
        id: String,
        exit: Exit,
    },
    Probed(Finding),
    /// Its `postStart` hook is done.
    Started {
        id: String,
        outcome: Result<(), String>,
    },
    /// Its `preStop` hook failed.
    FarewellFailed {
        id: String,
        reason: String,
    },
}

pub(crate) struct Worker {
    context: Arc<Context>,
    wanted: watch::Receiver<Wanted>,
    pod: Arc<Pod>,
    uid: String,
    slots: Vec<Slot>,
    facts: Option<Facts>,
    volumes: Volumes,
    refreshed: Option<Instant>,
    memory: Memory,
    reported: Value,
    /// Since when the node has the pod.
    since: jiff::Timestamp,
    /// The node's word that the pod is over.
    over: Option<Verdict>,
    /// The status of a pod that had ended before this worker began; it stays as it is.
    settled: Option<Value>,
    /// When a pod that is deleted must be gone.
    leaving: Option<Instant>,
    /// When its use of the disk was measured.
    measured: Option<Instant>,
    /// Names of ephemeral containers that were refused.
    told: HashSet<String>,
    probes: Probes,
    sender: mpsc::Sender<Happened>,
    events: mpsc::Receiver<Happened>,
    statuses: watch::Sender<Value>,
}

impl Worker {
    /// Starts the worker of a pod, one that was turned away if there is a verdict; it ends when nothing of the pod is
    /// left on the node.
    pub(crate) fn start(
        context: Arc<Context>,
        wanted: watch::Receiver<Wanted>,
        verdict: Option<Verdict>,
    ) -> tokio::task::JoinHandle<()> {
        let pod = wanted.borrow().pod.clone();
        let uid = pod.metadata.uid.clone().unwrap_or_default();
        let spec = pod.spec.clone().unwrap_or_default();
        let init = spec.init_containers.into_iter().flatten().map(|container| Slot::new(container, true));
        let mut slots: Vec<Slot> =
            init.chain(spec.containers.into_iter().map(|container| Slot::new(container, false))).collect();
        if slots.iter().any(|slot| slot.init) {
            slots.iter_mut().for_each(|slot| slot.unborn = "PodInitializing");
        }
        let (sender, events) = mpsc::channel(64);
        let (statuses, reports) = watch::channel(Value::Null);
        let before = pod.status.as_ref().and_then(|status| status.start_time.as_ref());
        let since = before.map_or_else(jiff::Timestamp::now, |time| time.0);
        let settled = is_over(&pod).then(|| serde_json::to_value(&pod.status).unwrap_or_default());
        tokio::spawn(tell::send_statuses(context.clone(), pod.clone(), reports));
        let mut worker = Self {
            volumes: Volumes::new(&context.config.root.join("pods").join(&uid)),
            context,
            wanted,
            pod,
            uid,
            slots,
            facts: None,
            refreshed: None,
            memory: Memory::default(),
            reported: Value::Null,
            since,
            over: None,
            settled,
            leaving: None,
            measured: None,
            told: HashSet::new(),
            probes: Probes::default(),
            sender,
            events,
            statuses,
        };
        if let Some(verdict) = verdict {
            worker.condemn(verdict);
        }
        tokio::spawn(worker.run())
    }

    async fn run(mut self) {
        self.adopt();
        loop {
            let wanted = self.wanted.borrow_and_update().clone();
            let leaves = wanted.leaves();
            self.pod = wanted.pod;
            self.redefine();
            let next = if leaves { self.leave(wanted.gone).await } else { Some(self.sync().await) };
            let Some(next) = next else { break };
            self.report();
            tokio::select! {
                changed = self.wanted.changed() => {
                    if changed.is_err() {
                        break;
                    }
                }
                Some(happened) = self.events.recv() => self.happened(happened),
                () = tokio::time::sleep_until(next.into()) => {}
            }
        }
        self.context.pods.write().remove(&self.uid);
    }

    /// Finds the containers that an earlier kubelet started.
    fn adopt(&mut self) {
        let root = self.context.config.state.join("containers");
        let mut runs: Vec<Run> = match fs::read_dir(&root) {
            Ok(entries) => entries.flatten().filter_map(|entry| earlier(entry.path(), &self.uid)).collect(),
            Err(error) => {
                // Before the first container there is no directory.
                if error.kind() != io::ErrorKind::NotFound {
                    tracing::error!(%error, "{}: no container is adopted", root.display());
                }
                Vec::new()
            }
        };
        runs.sort_by_key(|run| run.record.attempt);
        for run in runs {
            let Some(slot) = self.slots.iter_mut().find(|slot| slot.wanted.name == run.record.name) else { continue };
            let (container, id, runs) = (run.container.clone(), run.record.id.clone(), run.exit.is_none());
            slot.began(run);
            if runs {
                tracing::info!(pod = self.pod.metadata.name, container = slot.wanted.name, id, "adopted");
                wait_for(container, id, self.sender.clone());
            }
        }
        self.start_probes();
    }

    /// Takes over what may change of a container while its pod is there: the image. What else was asked is told.
    fn redefine(&mut self) {
        for container in late::ephemeral(&self.pod) {
            if self.told.insert(container.name.clone()) {
                let text = format!("Error: {}: {}", container.name, late::NO_EPHEMERAL);
                self.context.events.warning(&self.pod, None, "Failed", text);
            }
        }
        let Some(spec) = &self.pod.spec else { return };
        let all = spec.containers.iter().chain(spec.init_containers.iter().flatten());
        let all: Vec<_> = all.map(|wanted| (wanted.name.clone(), wanted.image.clone())).collect();
        for (name, image) in all {
            let Some(index) = self.slots.iter().position(|slot| slot.wanted.name == name) else { continue };
            let slot = &mut self.slots[index];
            if slot.wanted.image == image {
                continue;
            }
            slot.wanted.image = image;
            slot.retry = None;
            if slot.runs() {
                slot.renewed = true;
                self.halt(index, self.grace(), format!("Container {name} definition changed, will be restarted"));
            }
        }
    }

    fn happened(&mut self, happened: Happened) {
        match happened {
            Happened::Ended { id, exit } => self.ended(&id, exit),
            Happened::Started { id, outcome } => {
                let Some(index) = self.index(&id) else { return };
                self.slots[index].starting = None;
                match outcome {
                    Ok(()) => self.start_probes(),
                    Err(reason) => self.hook_failed(index, reason),
                }
            }
            Happened::FarewellFailed { id, reason } => {
                let Some(index) = self.index(&id) else { return };
                tracing::warn!(pod = self.pod.metadata.name, reason, "preStop hook");
                let name = Some(self.slots[index].wanted.name.as_str());
                // The reason stays here: what a container wrote may be secret.
                self.context.events.warning(&self.pod, name, "FailedPreStopHook", "PreStopHook failed".to_owned());
            }
            Happened::Probed(finding) => self.probed(&finding),
        }
    }

    fn ended(&mut self, id: &str, exit: Exit) {
        let Some(index) = self.index(id) else { return };
        self.probes.stop(id);
        if self.slots[index].starting.is_some() {
            let reason = "container terminated before its postStart hook finished".to_owned();
            self.tell_hook_failed(index, reason);
        }
        self.slots[index].ended(exit);
    }

    /// A container without its `postStart` hook must not run.
    fn hook_failed(&mut self, index: usize, reason: String) {
        self.tell_hook_failed(index, reason);
        self.halt(index, self.grace(), "FailedPostStartHook".to_owned());
    }

    fn tell_hook_failed(&mut self, index: usize, reason: String) {
        let slot = &mut self.slots[index];
        tracing::warn!(pod = self.pod.metadata.name, container = slot.wanted.name, reason, "postStart hook");
        slot.hook_failed = Some(reason);
        let name = Some(slot.wanted.name.as_str());
        self.context.events.warning(&self.pod, name, "FailedPostStartHook", "PostStartHook failed".to_owned());
    }

    fn probed(&mut self, finding: &Finding) {
        let Some(index) = self.index(&finding.id).filter(|index| self.slots[*index].stopping.is_none()) else { return };
        let Some(failed) = self.probes.found(finding) else { return };
        let name = Some(finding.container.as_str());
        self.context.events.warning(&self.pod, name, "Unhealthy", failed.message);
        if failed.kill {
            let text = format!("Container {} failed {} probe, will be restarted", finding.container, finding.kind);
            let own = failed.grace.map(|seconds| Duration::from_secs(seconds.max(0).cast_unsigned()));
            self.halt(index, own.unwrap_or_else(|| self.grace()), text);
        }
    }

    /// The container whose present start has this id.
    fn index(&self, id: &str) -> Option<usize> {
        self.slots.iter().position(|slot| slot.current.as_ref().is_some_and(|run| run.record.id == id))
    }

    /// A container that runs, as probes and hooks see it.
    fn target(&self, index: usize) -> Option<Target> {
        let slot = self.slots.get(index)?;
        let run = slot.current.as_ref()?;
        Some(Target::new(&slot.wanted, &run.record.id, &run.container, &self.address()))
    }

    /// The pod's address, also before this worker has looked after its network.
    fn address(&self) -> String {
        let known = self.facts.as_ref().map(|facts| facts.pod.clone());
        let found = || self.context.network.find(&self.uid).map(|address| address.to_string());
        known.or_else(found).unwrap_or_else(|| self.context.identity.address.to_string())
    }

    fn directory(&self) -> PathBuf {
        self.context.config.root.join("pods").join(&self.uid)
    }
}

/// Removes a container that has ended; its log stays.
async fn forget(run: &Run) {
    if let Err(error) = discard(&run.container).await {
        tracing::warn!(%error, id = run.record.id, "a container was left behind");
    }
}

fn wait_for(container: Container, id: String, sender: mpsc::Sender<Happened>) {
    tokio::spawn(async move {
        match container.wait().await {
            // The worker may be gone; then nobody needs to know.
            Ok(exit) => drop(sender.send(Happened::Ended { id, exit }).await),
            Err(error) => tracing::error!(%error, id, "a container cannot be waited for"),
        }
    });
}

fn path(pod: &Pod) -> String {
    let part = |text: &Option<String>| text.clone().unwrap_or_default();
    format!("/api/v1/namespaces/{}/pods/{}", part(&pod.metadata.namespace), part(&pod.metadata.name))
}

/// A container of the pod that an earlier kubelet started.
fn earlier(directory: PathBuf, pod: &str) -> Option<Run> {
    let path = directory.join("record.json");
    let read = fs::read(&path).and_then(|bytes| Ok(serde_json::from_slice::<Record>(&bytes)?));
    let record = match read {
        Ok(record) => record,
        Err(error) => {
            // Without a record it never started.
            if error.kind() != io::ErrorKind::NotFound {
                tracing::error!(%error, "{}: its container is not adopted", path.display());
            }
            return None;
        }
    };
    if record.pod != pod {
        return None;
    }
    let container = Container::at(directory);
    let told = |error: &RuntimeError| tracing::warn!(%error, id = record.id, "part of a container's state is unknown");
    let started = container.started().inspect_err(told).ok().flatten();
    let exit = container.exit().inspect_err(told).ok().flatten();
    Some(Run { container, record, started, exit })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(gone: bool) -> Wanted {
        Wanted { pod: Arc::default(), gone }
    }

    #[tokio::test]
    async fn what_takes_long_is_dropped_when_the_pod_goes() {
        let (sender, wishes) = watch::channel(wanted(false));
        assert_eq!(unless_it_goes(wishes.clone(), async { 7 }).await, Some(7));
        let waiting = tokio::spawn(unless_it_goes(wishes, std::future::pending::<()>()));
        sender.send_replace(wanted(false));
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished(), "an update alone is no reason");
        let mut pod = Pod::default();
        pod.metadata.deletion_timestamp =
            Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(jiff::Timestamp::UNIX_EPOCH));
        sender.send_replace(Wanted { pod: Arc::new(pod), gone: false });
        assert_eq!(waiting.await.unwrap(), None);
    }
}
