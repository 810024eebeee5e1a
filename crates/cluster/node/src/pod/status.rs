//! A pod's status, made from its containers.

use std::collections::HashMap;

use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

use super::environment::Addresses;
use super::oci;
use super::slot::{Slot, seconds};

/// Where a pod is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Pending,
    Running,
    Succeeded,
    Failed,
}

/// The phase (Kubernetes documentation, "Pod Lifecycle").
pub(crate) fn phase(pod: &Pod, slots: &[Slot]) -> Phase {
    let policy = pod.spec.as_ref().and_then(|spec| spec.restart_policy.as_deref()).unwrap_or("Always");
    let (init, app): (Vec<&Slot>, Vec<&Slot>) = slots.iter().partition(|slot| slot.init);
    if init.iter().any(|slot| slot.exit().is_some_and(|exit| exit.code != 0)) && policy == "Never" {
        return Phase::Failed;
    }
    if !init.iter().all(|slot| slot.succeeded()) {
        return Phase::Pending;
    }
    if app.iter().any(|slot| slot.current.is_none() && slot.last.is_none()) {
        return Phase::Pending;
    }
    let ended = app.iter().all(|slot| slot.exit().is_some());
    match (ended, app.iter().all(|slot| slot.succeeded()), policy) {
        (true, true, "OnFailure" | "Never") => Phase::Succeeded,
        (true, false, "Never") => Phase::Failed,
        _ => Phase::Running,
    }
}

/// What is remembered between two statuses.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    since: HashMap<&'static str, (bool, String)>,
    pub(crate) started: Option<String>,
}

/// Everything a status says.
pub(crate) struct Report<'a> {
    pub(crate) pod: &'a Pod,
    pub(crate) slots: &'a [Slot],
    pub(crate) addresses: Option<&'a Addresses>,
    pub(crate) host: String,
    /// Names of the containers that may get traffic.
    pub(crate) ready: Vec<&'a str>,
}

impl Report<'_> {
    /// The status as the API has it.
    pub(crate) fn value(&self, memory: &mut Memory) -> Value {
        let phase = phase(self.pod, self.slots);
        let started = memory.started.get_or_insert_with(|| seconds(jiff::Timestamp::now())).clone();
        let list = |init: bool| -> Vec<Value> {
            let of_kind = self.slots.iter().filter(|slot| slot.init == init);
            of_kind.map(|slot| slot.status(self.ready.contains(&slot.wanted.name.as_str()))).collect()
        };
        let mut status = json!({
            "phase": format!("{phase:?}"),
            "hostIP": self.host, "hostIPs": [{"ip": self.host}],
            "startTime": started,
            "qosClass": oci::qos(self.pod),
            "containerStatuses": list(false),
            "conditions": self.conditions(phase, memory),
        });
        let init = list(true);
        if !init.is_empty() {
            status["initContainerStatuses"] = init.into();
        }
        if let Some(addresses) = self.addresses {
            status["podIP"] = addresses.pod.clone().into();
            status["podIPs"] = json!([{"ip": addresses.pod}]);
        }
        status
    }

    fn conditions(&self, phase: Phase, memory: &mut Memory) -> Vec<Value> {
        let over = matches!(phase, Phase::Succeeded | Phase::Failed);
        let app: Vec<&Slot> = self.slots.iter().filter(|slot| !slot.init).collect();
        let names = |list: Vec<&str>| format!("[{}]", list.join(" "));
        let unready: Vec<&str> =
            app.iter().map(|slot| slot.wanted.name.as_str()).filter(|name| !self.ready.contains(name)).collect();
        let incomplete: Vec<&str> = (self.slots.iter())
            .filter(|slot| slot.init && !slot.succeeded())
            .map(|slot| slot.wanted.name.as_str())
            .collect();
        let ready = unready.is_empty() && incomplete.is_empty() && !over;
        let unready_why = match over {
            true if phase == Phase::Succeeded => ("PodCompleted", String::new()),
            true => ("PodFailed", String::new()),
            false => ("ContainersNotReady", format!("containers with unready status: {}", names(unready))),
        };
        let uninitialized =
            ("ContainersNotInitialized", format!("containers with incomplete status: {}", names(incomplete.clone())));
        let completed = ("PodCompleted", String::new());
        let initialized = incomplete.is_empty();
        let table = [
            ("PodReadyToStartContainers", self.addresses.is_some() && !over, None),
            ("Initialized", initialized, if initialized { over.then_some(completed) } else { Some(uninitialized) }),
            ("Ready", ready, (!ready).then_some(unready_why.clone())),
            ("ContainersReady", ready, (!ready).then_some(unready_why)),
            ("PodScheduled", true, None),
        ];
        let mut conditions = Vec::new();
        for (kind, value, why) in table {
            let now = seconds(jiff::Timestamp::now());
            let since = memory.since.entry(kind).or_insert((value, now.clone()));
            if since.0 != value {
                *since = (value, now);
            }
            let word = if value { "True" } else { "False" };
            let mut condition =
                json!({"type": kind, "status": word, "lastProbeTime": null, "lastTransitionTime": since.1});
            if let Some((reason, message)) = why {
                condition["reason"] = reason.into();
                if !message.is_empty() {
                    condition["message"] = message.into();
                }
            }
            conditions.push(condition);
        }
        self.keep_foreign(&mut conditions);
        conditions
    }

    /// Conditions that others set stay (readiness gates, the scheduler's own).
    fn keep_foreign(&self, conditions: &mut Vec<Value>) {
        let status = self.pod.status.as_ref().and_then(|status| status.conditions.as_ref());
        for theirs in status.into_iter().flatten() {
            if !conditions.iter().any(|ours| ours["type"] == theirs.type_.as_str()) {
                conditions.extend(serde_json::to_value(theirs));
            }
        }
    }
}
