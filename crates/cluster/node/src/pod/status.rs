//! A pod's status, made from its containers.

use std::collections::HashMap;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

use super::environment::Facts;
use super::share;
use super::slot::{Slot, seconds};
use super::verdict::Verdict;

/// The condition of a pod whose containers should have other resources.
const RESIZE: &str = "PodResizePending";

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
    if app.iter().any(|slot| slot.new_here()) {
        return Phase::Pending;
    }
    let ended = app.iter().all(|slot| slot.exit().is_some() && !slot.renewed);
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
}

/// Everything a status says.
pub(crate) struct Report<'a> {
    pub(crate) pod: &'a Pod,
    pub(crate) slots: &'a [Slot],
    pub(crate) facts: Option<&'a Facts>,
    pub(crate) host: String,
    /// Names of the containers that may get traffic.
    pub(crate) ready: Vec<&'a str>,
    /// Names of the containers that have started.
    pub(crate) started: Vec<&'a str>,
    /// Since when the node has the pod.
    pub(crate) since: Timestamp,
    /// The node's word that it is over.
    pub(crate) over: Option<&'a Verdict>,
}

fn contains(names: &[&str], slot: &Slot) -> bool {
    names.contains(&slot.wanted.name.as_str())
}

impl Report<'_> {
    /// The status as the API has it.
    pub(crate) fn value(&self, memory: &mut Memory) -> Value {
        // Told when nothing of it runs any more.
        let over = self.over.filter(|_| !self.slots.iter().any(Slot::runs));
        let phase = if over.is_some() { Phase::Failed } else { phase(self.pod, self.slots) };
        let list = |init: bool| -> Vec<Value> {
            let of_kind = self.slots.iter().filter(|slot| slot.init == init);
            of_kind.map(|slot| slot.status(contains(&self.ready, slot), contains(&self.started, slot))).collect()
        };
        let mut status = json!({
            "phase": format!("{phase:?}"),
            "hostIP": self.host, "hostIPs": [{"ip": self.host}],
            "startTime": seconds(self.since),
            "qosClass": share::qos(self.pod),
            "conditions": self.conditions(phase, memory),
        });
        let ephemeral: Vec<Value> = super::late::ephemeral(self.pod).map(super::late::status).collect();
        if !ephemeral.is_empty() {
            status["ephemeralContainerStatuses"] = ephemeral.into();
        }
        if let Some(over) = over {
            status["reason"] = over.reason.into();
            status["message"] = over.told().into();
        }
        // Of a pod that was turned away there are no containers to tell of.
        if !over.is_some_and(|over| over.rejected) {
            status["containerStatuses"] = list(false).into();
            let init = list(true);
            if !init.is_empty() {
                status["initContainerStatuses"] = init.into();
            }
        }
        if let Some(facts) = self.facts {
            status["podIP"] = facts.pod.clone().into();
            status["podIPs"] = json!([{"ip": facts.pod}]);
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
        let containers_ready = unready.is_empty() && incomplete.is_empty() && !over;
        let gates = self.closed_gates();
        let ready = containers_ready && gates.is_empty();
        let unready_why = match over {
            true if phase == Phase::Succeeded => ("PodCompleted", String::new()),
            true => ("PodFailed", String::new()),
            false => ("ContainersNotReady", format!("containers with unready status: {}", names(unready))),
        };
        let uninitialized =
            ("ContainersNotInitialized", format!("containers with incomplete status: {}", names(incomplete.clone())));
        let completed = ("PodCompleted", String::new());
        let gates_why = ("ReadinessGatesNotReady", gates.join(", "));
        let initialized = incomplete.is_empty();
        let table = [
            ("PodReadyToStartContainers", self.facts.is_some() && !over, None),
            ("Initialized", initialized, if initialized { over.then_some(completed) } else { Some(uninitialized) }),
            ("Ready", ready, (!ready).then(|| if containers_ready { gates_why } else { unready_why.clone() })),
            ("ContainersReady", containers_ready, (!containers_ready).then_some(unready_why)),
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
        if !over && super::late::resized(self.pod, self.slots) {
            conditions.push(json!({
                "type": RESIZE, "status": "True", "reason": "Infeasible",
                "message": "In-place resize is not supported on this node", "lastProbeTime": null,
            }));
        }
        self.keep_foreign(&mut conditions);
        conditions
    }

    /// What `spec.readinessGates` still waits for (Kubernetes documentation, "Pod readiness").
    fn closed_gates(&self) -> Vec<String> {
        let set: Vec<_> = self.pod.status.iter().filter_map(|status| status.conditions.as_ref()).flatten().collect();
        let gates = self.pod.spec.iter().filter_map(|spec| spec.readiness_gates.as_ref()).flatten();
        let closed = gates.filter_map(|gate| {
            let kind = &gate.condition_type;
            match set.iter().find(|condition| condition.type_ == *kind).map(|condition| condition.status.as_str()) {
                None => Some(format!("corresponding condition of pod readiness gate \"{kind}\" does not exist.")),
                Some("True") => None,
                Some(other) => {
                    Some(format!("the status of pod readiness gate \"{kind}\" is not \"True\", but {other}"))
                }
            }
        });
        closed.collect()
    }

    /// Conditions that others set stay (readiness gates, the scheduler's own).
    fn keep_foreign(&self, conditions: &mut Vec<Value>) {
        let status = self.pod.status.as_ref().and_then(|status| status.conditions.as_ref());
        for theirs in status.into_iter().flatten() {
            let ours = theirs.type_ == RESIZE || conditions.iter().any(|ours| ours["type"] == theirs.type_.as_str());
            if !ours {
                conditions.extend(serde_json::to_value(theirs));
            }
        }
    }
}
