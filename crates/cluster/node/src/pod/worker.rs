//! One pod's worker: brings the pod closer to what is wanted whenever something happened, and tells how it is.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

use super::environment::Addresses;
use super::launch::{Launch, Record, discard, log_directory, pod_cgroup};
use super::probe::{self, Finding, Probes};
use super::slot::{Run, Slot};
use super::source::Sources;
use super::status::{Memory, Phase, Report, phase};
use super::volumes::Volumes;
use super::{View, files};
use crate::cgroup;
use crate::kubelet::{ApiError, Context, Patch};
use crate::runtime::Container;
use crate::shim::protocol::Exit;

/// Volumes are looked at again this often (`syncFrequency`).
const REFRESH: Duration = Duration::from_secs(60);
const RETRY: Duration = Duration::from_secs(2);
const SIGTERM: i32 = 15;
const SIGKILL: i32 = 9;

/// What is wanted of a pod.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) pod: Arc<Pod>,
    /// Its object is gone: only the cleaning is left.
    pub(crate) gone: bool,
}

/// What happened to a container.
pub(crate) enum Happened {
    Ended { id: String, exit: Exit },
    Probed(Finding),
}

pub(crate) struct Worker {
    context: Arc<Context>,
    wanted: watch::Receiver<Wanted>,
    pod: Arc<Pod>,
    uid: String,
    slots: Vec<Slot>,
    addresses: Option<Addresses>,
    volumes: Volumes,
    refreshed: Option<Instant>,
    memory: Memory,
    reported: Value,
    stopping: Option<Instant>,
    probes: Probes,
    sender: mpsc::Sender<Happened>,
    events: mpsc::Receiver<Happened>,
    statuses: watch::Sender<Value>,
}

impl Worker {
    /// Starts the worker of a pod; it ends when nothing of the pod is left on the node.
    pub(crate) fn start(context: Arc<Context>, wanted: watch::Receiver<Wanted>) -> tokio::task::JoinHandle<()> {
        let pod = wanted.borrow().pod.clone();
        let uid = pod.metadata.uid.clone().unwrap_or_default();
        let spec = pod.spec.clone().unwrap_or_default();
        let init = spec.init_containers.into_iter().flatten().map(|container| Slot::new(container, true));
        let slots = init.chain(spec.containers.into_iter().map(|container| Slot::new(container, false))).collect();
        let (sender, events) = mpsc::channel(64);
        let (statuses, reports) = watch::channel(Value::Null);
        let mut memory = Memory::default();
        let before = pod.status.as_ref().and_then(|status| status.start_time.as_ref());
        memory.started = before.map(|time| super::slot::seconds(time.0));
        tokio::spawn(send_statuses(context.clone(), pod.clone(), reports));
        let worker = Self {
            volumes: Volumes::new(&context.config.root.join("pods").join(&uid)),
            context,
            wanted,
            pod,
            uid,
            slots,
            addresses: None,
            refreshed: None,
            memory,
            reported: Value::Null,
            stopping: None,
            probes: Probes::default(),
            sender,
            events,
            statuses,
        };
        tokio::spawn(worker.run())
    }

    async fn run(mut self) {
        self.adopt();
        loop {
            let wanted = self.wanted.borrow_and_update().clone();
            self.pod = wanted.pod;
            let leaving = wanted.gone || self.pod.metadata.deletion_timestamp.is_some();
            let next = if leaving { self.leave(wanted.gone).await } else { Some(self.sync().await) };
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
        let mut runs: Vec<Run> = Vec::new();
        for entry in fs::read_dir(root).into_iter().flatten().flatten() {
            let Ok(bytes) = fs::read(entry.path().join("record.json")) else { continue };
            let Ok(record) = serde_json::from_slice::<Record>(&bytes) else { continue };
            if record.pod == self.uid {
                let container = Container::at(entry.path());
                let started = container.started().ok().flatten();
                let exit = container.exit().ok().flatten();
                runs.push(Run { container, record, started, exit });
            }
        }
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

    fn happened(&mut self, happened: Happened) {
        match happened {
            Happened::Ended { id, exit } => {
                for slot in &mut self.slots {
                    if let Some(run) = slot.current.as_mut().filter(|run| run.record.id == id) {
                        run.exit = Some(exit.clone());
                        self.probes.stop(&id);
                    }
                }
            }
            Happened::Probed(finding) => {
                if let Some(failed) = self.probes.found(&finding) {
                    let name = Some(finding.container.as_str());
                    self.context.events.warning(&self.pod, name, "Unhealthy", failed.message);
                    if failed.kill {
                        let text =
                            format!("Container {} failed {} probe, will be restarted", finding.container, finding.kind);
                        self.context.events.normal(&self.pod, name, "Killing", text);
                        self.kill_later(&finding.id);
                    }
                }
            }
        }
    }

    /// Asks a container to end, and makes it after the pod's grace.
    fn kill_later(&self, id: &str) {
        let grace = self.pod.spec.as_ref().and_then(|spec| spec.termination_grace_period_seconds).unwrap_or(30);
        let run = self.slots.iter().filter_map(|slot| slot.current.as_ref()).find(|run| run.record.id == id);
        let Some(container) = run.map(|run| run.container.clone()) else { return };
        tokio::spawn(async move {
            // Either may come too late, which is as well.
            let _ = container.kill(SIGTERM).await;
            tokio::time::sleep(Duration::from_secs(grace.max(0).cast_unsigned())).await;
            let _ = container.kill(SIGKILL).await;
        });
    }

    /// One pass for a pod that should run. Returns when the next is due if nothing happens before.
    async fn sync(&mut self) -> Instant {
        let later = Instant::now() + REFRESH;
        if matches!(phase(&self.pod, &self.slots), Phase::Succeeded | Phase::Failed) {
            return later;
        }
        if let Err((reason, message)) = self.prepare().await {
            self.context.events.warning(&self.pod, None, reason, message);
            return Instant::now() + RETRY;
        }
        let mut next = later;
        for index in 0..self.slots.len() {
            if self.slots[index].init && self.slots[index].succeeded() {
                continue;
            }
            if let Some(at) = self.advance(index).await {
                next = next.min(at);
            }
            if self.slots[index].init {
                // The others wait for it.
                return next;
            }
        }
        next
    }

    /// Network, files, volumes.
    async fn prepare(&mut self) -> Result<(), (&'static str, String)> {
        let sandbox = |error: String| ("FailedCreatePodSandBox", format!("Failed to create pod sandbox: {error}"));
        if self.addresses.is_none() {
            let host = self.context.identity.address.to_string();
            let on_node = self.pod.spec.as_ref().is_some_and(|spec| spec.host_network == Some(true));
            let pod = if on_node {
                host.clone()
            } else {
                self.context.network.add(&self.uid).map_err(|error| sandbox(error.to_string()))?.to_string()
            };
            let addresses = Addresses { pod, host };
            files::write(&self.context, &self.pod, &addresses, &self.directory())
                .map_err(|error| sandbox(error.to_string()))?;
            self.addresses = Some(addresses);
        }
        let Some(addresses) = &self.addresses else { return Ok(()) };
        if self.refreshed.is_none_or(|at| at.elapsed() >= REFRESH) {
            let namespace = self.pod.metadata.namespace.clone().unwrap_or_default();
            let sources = Sources { api: &self.context.api, namespace: &namespace };
            let prepared = self.volumes.prepare(&sources, &self.pod, addresses).await;
            match (prepared, self.refreshed) {
                // A pod that runs goes on with what it has.
                (Err(error), Some(_)) => tracing::warn!(%error, pod = self.pod.metadata.name, "volumes not refreshed"),
                (prepared, _) => prepared.map_err(|error| ("FailedMount", error.to_string()))?,
            }
            self.refreshed = Some(Instant::now());
        }
        Ok(())
    }

    fn directory(&self) -> PathBuf {
        self.context.config.root.join("pods").join(&self.uid)
    }

    /// Starts a container that should run and does not.
    async fn advance(&mut self, index: usize) -> Option<Instant> {
        if self.slots[index].runs() {
            return None;
        }
        if let Some(code) = self.slots[index].exit().map(|exit| exit.code) {
            let policy = self.pod.spec.as_ref().and_then(|spec| spec.restart_policy.clone()).unwrap_or_default();
            let again = match policy.as_str() {
                "Never" => false,
                "OnFailure" => code != 0,
                _ => !self.slots[index].init || code != 0,
            };
            if !again {
                return None;
            }
            if self.slots[index].retry.is_none() {
                self.crashed(index);
            }
        }
        let slot = &mut self.slots[index];
        if let Some(at) = slot.retry
            && at > Instant::now()
        {
            if slot.waiting.as_ref().is_some_and(|(reason, _)| reason == "ErrImagePull") {
                let image = slot.wanted.image.clone().unwrap_or_default();
                let text = format!("Back-off pulling image \"{image}\"");
                slot.waiting = Some(("ImagePullBackOff".to_owned(), text.clone()));
                let name = slot.wanted.name.clone();
                self.context.events.normal(&self.pod, Some(&name), "BackOff", text);
            }
            return Some(at);
        }
        self.launch(index).await
    }

    fn crashed(&mut self, index: usize) {
        let slot = &mut self.slots[index];
        let pause = slot.back_off(true);
        if pause.is_zero() {
            return;
        }
        let meta = &self.pod.metadata;
        let (name, namespace) =
            (meta.name.as_deref().unwrap_or_default(), meta.namespace.as_deref().unwrap_or_default());
        let container = slot.wanted.name.clone();
        let whom = format!("restarting failed container={container} pod={name}_{namespace}({})", self.uid);
        let text = format!("back-off {}s {whom}", pause.as_secs());
        slot.waiting = Some(("CrashLoopBackOff".to_owned(), text));
        self.context.events.warning(&self.pod, Some(&container), "BackOff", format!("Back-off {whom}"));
    }

    async fn launch(&mut self, index: usize) -> Option<Instant> {
        let addresses = self.addresses.clone()?;
        let launch = Launch {
            context: &self.context,
            pod: &self.pod,
            wanted: &self.slots[index].wanted,
            attempt: self.slots[index].next_attempt(),
            addresses: &addresses,
            volumes: &self.volumes,
        };
        let launched = launch.run().await;
        let slot = &mut self.slots[index];
        match launched {
            Ok((container, record)) => {
                let started = container.started().ok().flatten();
                wait_for(container.clone(), record.id.clone(), self.sender.clone());
                let forgotten = slot.last.take();
                slot.began(Run { container, record, started, exit: None });
                if let Some(run) =
                    forgotten.filter(|run| slot.last.as_ref().is_none_or(|last| last.record.id != run.record.id))
                {
                    forget(&run);
                }
                self.start_probes();
                None
            }
            Err(error) => {
                let name = slot.wanted.name.clone();
                let pause = slot.back_off(false);
                slot.waiting = Some((error.reason().to_owned(), error.to_string()));
                self.context.events.warning(
                    &self.pod,
                    Some(&name),
                    "Failed",
                    format!("Error: {}: {error}", error.reason()),
                );
                // Said once as it is; the next look finds it backing off.
                Some(Instant::now() + pause.min(RETRY))
            }
        }
    }

    fn start_probes(&mut self) {
        let Some(addresses) = &self.addresses else { return };
        for slot in self.slots.iter().filter(|slot| !slot.init && slot.runs()) {
            if let Some(run) = &slot.current {
                let target = probe::Target {
                    container: slot.wanted.name.clone(),
                    id: run.record.id.clone(),
                    handle: run.container.clone(),
                    address: addresses.pod.clone(),
                };
                self.probes.start(&slot.wanted, &target, &self.sender);
            }
        }
    }

    /// One pass for a pod that should go. None: nothing of it is left.
    async fn leave(&mut self, gone: bool) -> Option<Instant> {
        let grace = self.pod.metadata.deletion_grace_period_seconds.unwrap_or(30).max(0).cast_unsigned();
        let grace = if gone { Duration::ZERO } else { Duration::from_secs(grace) };
        let first = self.stopping.is_none();
        let deadline = Instant::now() + grace;
        // A second deletion may shorten the time, never lengthen it.
        let deadline = *self.stopping.insert(self.stopping.map_or(deadline, |old| old.min(deadline)));
        let late = Instant::now() >= deadline;
        for slot in self.slots.iter().filter(|slot| slot.runs()) {
            let Some(run) = &slot.current else { continue };
            if first {
                let name = &slot.wanted.name;
                self.context.events.normal(&self.pod, Some(name), "Killing", format!("Stopping container {name}"));
            }
            let signal = if late { Some(SIGKILL) } else { first.then_some(SIGTERM) };
            if let Some(signal) = signal {
                // One that has just ended is told of in a moment.
                let _ = run.container.kill(signal).await;
            }
        }
        if self.slots.iter().any(Slot::runs) {
            return Some(if late { Instant::now() + RETRY } else { deadline });
        }
        let final_status = self.status();
        self.clean();
        if !gone && let Err(error) = self.finish(&final_status).await {
            tracing::warn!(%error, pod = self.pod.metadata.name, "the pod's end cannot be told, will retry");
            return Some(Instant::now() + RETRY);
        }
        None
    }

    /// Tells the last status, then lets the object go.
    async fn finish(&self, status: &Value) -> Result<(), ApiError> {
        let path = path(&self.pod);
        let body = json!({"metadata": {"uid": self.uid}, "status": status});
        let told = self.context.api.patch(&format!("{path}/status"), Patch::Merge, &body).await;
        let options = json!({"gracePeriodSeconds": 0, "preconditions": {"uid": self.uid}});
        let let_go = match told {
            Ok(_) => self.context.api.delete(&path, &options).await,
            Err(error) => Err(error),
        };
        match let_go {
            // Gone already, or another pod of the same name by now.
            Err(error) if error.is_not_found() || error.code() == Some(http::StatusCode::CONFLICT) => Ok(()),
            other => other.map(|_| ()),
        }
    }

    fn clean(&mut self) {
        let failed = |what: &str, error: &dyn std::fmt::Display| tracing::warn!(%error, what, "left behind");
        for run in self.slots.iter().flat_map(|slot| slot.current.iter().chain(&slot.last)) {
            forget(run);
        }
        if let Err(error) = self.context.network.remove(&self.uid) {
            failed("network", &error);
        }
        if let Err(error) = self.volumes.remove() {
            failed("volumes", &error);
        }
        if let Err(error) = cgroup::remove(&pod_cgroup(&self.context, &self.pod)) {
            failed("control group", &error);
        }
        for directory in [self.directory(), log_directory(&self.context, &self.pod)] {
            match fs::remove_dir_all(&directory) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => failed("directory", &error),
                _ => {}
            }
        }
    }

    fn status(&mut self) -> Value {
        let ready: Vec<&str> = (self.slots.iter())
            .filter(|slot| if slot.init { slot.succeeded() } else { self.probes.ready(slot) })
            .map(|slot| slot.wanted.name.as_str())
            .collect();
        let report = Report {
            pod: &self.pod,
            slots: &self.slots,
            addresses: self.addresses.as_ref(),
            host: self.context.identity.address.to_string(),
            ready,
        };
        report.value(&mut self.memory)
    }

    /// Tells the API, if there is something new, and the kubelet's own server.
    fn report(&mut self) {
        let status = self.status();
        if status != self.reported {
            self.reported = status.clone();
            self.statuses.send_replace(status);
        }
        let containers = (self.slots.iter())
            .map(|slot| (slot.wanted.name.clone(), (slot.current.clone(), slot.last.clone())))
            .collect();
        let view = View { pod: self.pod.clone(), containers };
        self.context.pods.write().insert(self.uid.clone(), view);
    }
}

/// Removes a container that has ended; its log stays.
fn forget(run: &Run) {
    if let Err(error) = discard(&run.container) {
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

/// Sends each status until it is taken or a newer one replaces it; ends with the worker.
async fn send_statuses(context: Arc<Context>, pod: Arc<Pod>, mut statuses: watch::Receiver<Value>) {
    let path = format!("{}/status", path(&pod));
    while statuses.changed().await.is_ok() {
        loop {
            let status = statuses.borrow_and_update().clone();
            let body = json!({"metadata": {"uid": pod.metadata.uid}, "status": status});
            match context.api.patch(&path, Patch::Merge, &body).await {
                Ok(_) => break,
                Err(error) if error.is_not_found() => return,
                Err(error) => tracing::warn!(%error, pod = pod.metadata.name, "status not told, will retry"),
            }
            tokio::time::sleep(RETRY).await;
        }
    }
}
