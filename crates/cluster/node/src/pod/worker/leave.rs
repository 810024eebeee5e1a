//! Ending containers, and the pod.

use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::{RETRY, Worker, forget, path};
use crate::api::{ApiError, Patch};
use crate::cgroup;
use crate::pod::launch::{log_directory, pod_cgroup};
use crate::pod::slot::Run;
use crate::pod::stop::{Farewell, Stopping, signal};
use crate::pod::task::aside;
use crate::pod::verdict::Verdict;
use crate::pod::volumes;
use eksile_linux::tree::remove_tree;

/// `terminationGracePeriodSeconds` when the pod has none.
const GRACE: i64 = 30;

impl Worker {
    /// The pod's own grace.
    pub(super) fn grace(&self) -> Duration {
        let own = self.pod.spec.as_ref().and_then(|spec| spec.termination_grace_period_seconds);
        seconds(own.unwrap_or(GRACE))
    }

    /// Asks a container to end, and makes it after `grace`. One that is on its way only gets less time.
    pub(super) fn halt(&mut self, index: usize, grace: Duration, message: String) {
        let deadline = Instant::now() + grace;
        let slot = &self.slots[index];
        if let Some(stopping) = &slot.stopping {
            return stopping.by(deadline.into());
        }
        let Some(run) = slot.current.as_ref().filter(|_| slot.runs()) else { return };
        let signal = run.record.stop_signal.as_deref().map(|text| (signal(text), text));
        if let Some((None, text)) = signal {
            tracing::warn!(container = slot.wanted.name, text, "a stop signal that is not known, SIGTERM is sent");
        }
        let signal = signal.and_then(|(signal, _)| signal).unwrap_or(Signal::SIGTERM);
        let Some(target) = self.target(index) else { return };
        self.context.events.normal(&self.pod, Some(&slot.wanted.name), "Killing", message);
        let hook = slot.wanted.lifecycle.as_ref().and_then(|lifecycle| lifecycle.pre_stop.clone());
        let (pod, sender) = (Arc::clone(&self.pod), self.sender.clone());
        let farewell = Farewell { target, pod, hook, signal, sender };
        let slot = &mut self.slots[index];
        slot.starting = None;
        slot.stopping = Some(Stopping::begin(farewell, deadline.into()));
    }

    /// The node ends the pod, for ever.
    pub(super) fn condemn(&mut self, verdict: Verdict) {
        if self.over.is_some() {
            return;
        }
        let message = verdict.message.clone();
        match verdict.reason {
            // A deadline is the pod's own wish.
            "DeadlineExceeded" => self.context.events.normal(&self.pod, None, verdict.reason, message),
            _ => self.context.events.warning(&self.pod, None, verdict.reason, message),
        }
        self.over = Some(verdict);
    }

    /// Ends every container of a pod that is over.
    pub(super) fn halt_all(&mut self) {
        let grace = self.over.as_ref().and_then(|over| over.grace).unwrap_or_else(|| self.grace());
        for index in (0..self.slots.len()).filter(|index| self.slots[*index].stopping.is_none()).collect::<Vec<_>>() {
            self.halt(index, grace, format!("Stopping container {}", self.slots[index].wanted.name));
        }
    }

    /// One pass for a pod that should go. None: nothing of it is left.
    pub(super) async fn leave(&mut self, gone: bool) -> Option<Instant> {
        let own = seconds(self.pod.metadata.deletion_grace_period_seconds.unwrap_or(GRACE));
        let now = Instant::now();
        let deadline = now + if gone { Duration::ZERO } else { own };
        // A second deletion may shorten the time, never lengthen it.
        let deadline = *self.leaving.insert(self.leaving.map_or(deadline, |old| old.min(deadline)));
        for index in 0..self.slots.len() {
            let text = format!("Stopping container {}", self.slots[index].wanted.name);
            self.halt(index, deadline.saturating_duration_since(now), text);
        }
        if self.slots.iter().any(crate::pod::slot::Slot::runs) {
            return Some(now + RETRY);
        }
        let final_status = self.status();
        self.clean().await;
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

    /// Removes all that is left of the pod, however long that takes: only this worker waits.
    async fn clean(&self) {
        let runs = self.slots.iter().flat_map(|slot| slot.current.iter().chain(&slot.last));
        let runs: Vec<Run> = runs.cloned().collect();
        for run in &runs {
            forget(run).await;
        }
        self.release().await;
        let volumes = self.volumes.root().to_owned();
        let group = pod_cgroup(&self.context, &self.pod);
        let directories = [self.directory(), log_directory(&self.context, &self.pod)];
        let cleaned = aside(move || {
            let failed = |what: &str, error: &dyn std::fmt::Display| tracing::warn!(%error, what, "left behind");
            if let Err(error) = volumes::remove(&volumes) {
                failed("volumes", &error);
            }
            // Nothing that a container may have put beside its own group goes on.
            cgroup::kill_all(&group);
            if let Err(error) = cgroup::remove(&group) {
                failed("control group", &error);
            }
            for directory in directories {
                if let Err(error) = remove_tree(&directory) {
                    failed("directory", &error);
                }
            }
            Ok(())
        });
        if let Err(error) = cleaned.await {
            tracing::error!(%error, pod = self.pod.metadata.name, "a pod's cleaning broke off");
        }
    }
}

fn seconds(seconds: i64) -> Duration {
    Duration::from_secs(seconds.max(0).cast_unsigned())
}
