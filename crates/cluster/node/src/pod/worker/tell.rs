//! Telling the API, and the kubelet's own server, how the pod is.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::{RETRY, Worker, path};
use crate::api::Patch;
use crate::context::Context;
use crate::pod::View;
use crate::pod::slot::Slot;
use crate::pod::status::Report;

impl Worker {
    pub(super) fn status(&mut self) -> Value {
        if let Some(settled) = &self.settled {
            return settled.clone();
        }
        let names = |which: &dyn Fn(&Slot) -> bool| -> Vec<&str> {
            self.slots.iter().filter(|slot| which(slot)).map(|slot| slot.wanted.name.as_str()).collect()
        };
        let ready = names(&|slot| if slot.init { slot.succeeded() } else { self.probes.ready(slot) });
        let begun = |slot: &Slot| slot.current.as_ref().is_some_and(|run| self.probes.started(&run.record.id));
        let started = names(&|slot| slot.up() && begun(slot));
        let report = Report {
            pod: &self.pod,
            slots: &self.slots,
            facts: self.facts.as_ref(),
            host: self.context.identity.address.to_string(),
            ready,
            started,
            since: self.since,
            over: self.over.as_ref(),
        };
        report.value(&mut self.memory)
    }

    /// Tells the API, if there is something new, and the kubelet's own server.
    pub(super) fn report(&mut self) {
        let status = self.status();
        if status != self.reported && self.settled.is_none() {
            self.reported = status.clone();
            self.statuses.send_replace(status);
        }
        let containers = (self.slots.iter())
            .map(|slot| (slot.wanted.name.clone(), (slot.current.clone(), slot.last.clone())))
            .collect();
        let waiting = self.slots.iter().filter(|_| self.over.is_none());
        let waiting = waiting.filter_map(|slot| Some((slot.wanted.name.clone(), slot.waits()?))).collect();
        let view = View { pod: self.pod.clone(), containers, waiting };
        self.context.pods.write().insert(self.uid.clone(), view);
    }
}

/// Sends each status until it is taken or a newer one replaces it; ends with the worker.
pub(super) async fn send_statuses(context: Arc<Context>, pod: Arc<Pod>, mut statuses: watch::Receiver<Value>) {
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
