//! Bringing a pod up: its place, its containers one after the other, their hooks and probes.

use std::io;
use std::time::Instant;

use super::{REFRESH, RETRY, Worker, forget, wait_for};
use crate::pod::environment::Facts;
use crate::pod::files;
use crate::pod::hook;
use crate::pod::launch::{Launch, LaunchError, log_directory};
use crate::pod::slot::Run;
use crate::pod::source::Sources;
use crate::pod::status::{Phase, phase};
use crate::pod::storage;
use crate::pod::task::{Task, aside};
use crate::pod::verdict::{Verdict, deadline};
use crate::pod::worker::Happened;

impl Worker {
    /// One pass for a pod that should run. Returns when the next is due if nothing happens before.
    pub(super) async fn sync(&mut self) -> Instant {
        let later = Instant::now() + REFRESH;
        if self.settled.is_some() || matches!(phase(&self.pod, &self.slots), Phase::Succeeded | Phase::Failed) {
            self.release().await;
            return later;
        }
        let mut next = later;
        if let Some(due) = deadline(&self.pod, self.since) {
            match jiff::Timestamp::now().duration_until(due).try_into() {
                Ok(left) => next = next.min(Instant::now() + left),
                // Negative: it has passed.
                Err(_) => self.condemn(Verdict::too_long()),
            }
        }
        next = next.min(self.measure().await.unwrap_or(later));
        if self.over.is_some() {
            self.halt_all();
            if !self.slots.iter().any(crate::pod::slot::Slot::runs) {
                self.release().await;
            }
            return later;
        }
        if let Err((reason, message)) = self.prepare().await {
            self.context.events.warning(&self.pod, None, reason, message);
            return next.min(Instant::now() + RETRY);
        }
        for index in 0..self.slots.len() {
            if self.slots[index].init && self.slots[index].succeeded() {
                continue;
            }
            if let Some(at) = self.advance(index).await {
                next = next.min(at);
            }
            if self.slots[index].init || self.slots[index].starting.is_some() {
                // The others wait for it.
                return next;
            }
        }
        next
    }

    /// A pod that has ended needs no network, its address may be another's, and no memory.
    pub(super) async fn release(&self) {
        let (context, uid, pod) = (self.context.clone(), self.uid.clone(), self.pod.metadata.name.clone());
        let released = aside(move || {
            if let Err(error) = context.network.remove(&uid) {
                tracing::warn!(%error, pod, "a network was left behind");
            }
            if let Err(error) = context.ipc(&uid).remove() {
                tracing::warn!(%error, pod, "an ipc namespace was left behind");
            }
            Ok(())
        });
        if let Err(error) = released.await {
            tracing::error!(%error, pod = self.pod.metadata.name, "a pod's release broke off");
        }
    }

    /// Looks whether the pod uses more of the disk than it said. Returns when to look again, if ever.
    async fn measure(&mut self) -> Option<Instant> {
        let name_of = |name: &str| self.volumes.empty(name);
        let mut limits = storage::of_volumes(&self.pod, name_of);
        let mut of_pod = storage::of_kubelet(&self.directory());
        of_pod.push(log_directory(&self.context, &self.pod));
        let mut of_containers = Vec::new();
        for slot in &self.slots {
            if let Some(run) = slot.current.as_ref().filter(|_| slot.runs()) {
                let logs = run.record.log.parent().map(std::path::Path::to_owned);
                let upper = run.container.directory().join("upper");
                of_pod.push(upper.clone());
                let mut places = vec![upper, run.record.termination.clone()];
                places.extend(logs);
                of_containers.extend(storage::of_container(&slot.wanted, places));
            }
        }
        // In upstream's order (`localStorageEviction`).
        limits.extend(storage::of_pod(&self.pod, of_pod, name_of));
        limits.extend(of_containers);
        if limits.is_empty() {
            return None;
        }
        let due = self.measured.map(|at| at + storage::EVERY).filter(|due| *due > Instant::now());
        if let Some(due) = due {
            return Some(due);
        }
        self.measured = Some(Instant::now());
        match tokio::task::spawn_blocking(move || storage::passed(&limits)).await {
            Ok(Some(verdict)) => self.condemn(verdict),
            Ok(None) => {}
            Err(error) => tracing::error!(%error, "a pod's use of the disk cannot be measured"),
        }
        Some(Instant::now() + storage::EVERY)
    }

    /// Network, files, volumes.
    async fn prepare(&mut self) -> Result<(), (&'static str, String)> {
        let sandbox = |error: String| ("FailedCreatePodSandBox", format!("Failed to create pod sandbox: {error}"));
        if self.facts.is_none() {
            let host = self.context.identity.address.to_string();
            let on_node = self.pod.spec.as_ref().is_some_and(|spec| spec.host_network == Some(true));
            let pod = if on_node {
                host.clone()
            } else {
                let (context, uid) = (self.context.clone(), self.uid.clone());
                let added = aside(move || context.network.add(&uid).map_err(io::Error::other)).await;
                added.map_err(|error| sandbox(error.to_string()))?.to_string()
            };
            if self.pod.spec.as_ref().is_none_or(|spec| spec.host_ipc != Some(true)) {
                let ipc = self.context.ipc(&self.uid);
                aside(move || ipc.add().map_err(io::Error::other)).await.map_err(|error| sandbox(error.to_string()))?;
            }
            let facts = Facts { pod, host, room: self.context.room() };
            files::write(&self.context, &self.pod, &facts, &self.directory())
                .map_err(|error| sandbox(error.to_string()))?;
            self.facts = Some(facts);
        }
        let Some(facts) = &self.facts else { return Ok(()) };
        if self.refreshed.is_none_or(|at| at.elapsed() >= REFRESH) {
            let namespace = self.pod.metadata.namespace.clone().unwrap_or_default();
            let sources = Sources { api: &self.context.api, namespace: &namespace };
            let prepared = self.volumes.prepare(&sources, &self.pod, facts).await;
            match (prepared, self.refreshed) {
                // A pod that runs goes on with what it has.
                (Err(error), Some(_)) => tracing::warn!(%error, pod = self.pod.metadata.name, "volumes not refreshed"),
                (prepared, _) => prepared.map_err(|error| ("FailedMount", error.to_string()))?,
            }
            self.refreshed = Some(Instant::now());
        }
        Ok(())
    }

    /// Starts a container that should run and does not.
    async fn advance(&mut self, index: usize) -> Option<Instant> {
        if self.slots[index].runs() {
            return None;
        }
        let code = self.slots[index].exit().map(|exit| exit.code);
        if let Some(code) = code.filter(|_| !self.slots[index].renewed) {
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
            // The words of a restart at once; the next ones are those of backing off.
            slot.waiting = slot.hook_failed.clone().map(|reason| ("PostStartHookError".to_owned(), reason));
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
        let facts = self.facts.clone()?;
        let launch = Launch {
            context: &self.context,
            pod: &self.pod,
            wanted: &self.slots[index].wanted,
            attempt: self.slots[index].next_attempt(),
            facts: &facts,
            volumes: &self.volumes,
            wishes: self.wanted.clone(),
        };
        let launched = launch.run().await;
        let slot = &mut self.slots[index];
        match launched {
            Ok((container, record)) => {
                let unread = |error: &_| tracing::warn!(%error, id = record.id, "the start of a container is unknown");
                let started = container.started().inspect_err(unread).ok().flatten();
                wait_for(container.clone(), record.id.clone(), self.sender.clone());
                let forgotten = slot.last.take();
                slot.began(Run { container, record, started, exit: None });
                if let Some(run) =
                    forgotten.filter(|run| slot.last.as_ref().is_none_or(|last| last.record.id != run.record.id))
                {
                    forget(&run).await;
                }
                self.run_post_start(index);
                self.start_probes();
                None
            }
            // The next look finds it leaving.
            Err(LaunchError::CalledOff) => None,
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

    /// The container has not started until its hook is done, and the next one waits for it.
    fn run_post_start(&mut self, index: usize) {
        let lifecycle = self.slots[index].wanted.lifecycle.as_ref();
        let Some(handler) = lifecycle.and_then(|lifecycle| lifecycle.post_start.clone()) else { return };
        let Some(target) = self.target(index) else { return };
        let (pod, sender) = (self.pod.clone(), self.sender.clone());
        self.slots[index].starting = Some(Task::spawn(async move {
            let outcome = hook::run(&handler, &target, &pod).await;
            // The worker may be gone; then nobody needs to know.
            drop(sender.send(Happened::Started { id: target.id, outcome }).await);
        }));
    }

    pub(super) fn start_probes(&mut self) {
        for index in 0..self.slots.len() {
            let slot = &self.slots[index];
            if slot.init || !slot.up() {
                continue;
            }
            if let Some(target) = self.target(index) {
                self.probes.start(&slot.wanted, &target, &self.sender);
            }
        }
    }
}
