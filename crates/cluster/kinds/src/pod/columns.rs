//! The pod's row in tables (`pkg/printers/internalversion`).

use eksile_kube::Column;
use jiff::Timestamp;
use serde_json::Value;

use crate::columns::{self, AGE, NAME, or_none, shown, since, wide};
use crate::tree::{at, items, number, text, truth};

/// The columns.
pub(super) const COLUMNS: &[Column] = &[
    NAME,
    shown("Ready", "How many containers are ready."),
    shown("Status", "How it is."),
    shown("Restarts", "How often containers were restarted."),
    AGE,
    wide("IP", "Its address."),
    wide("Node", "Where it runs."),
    wide("Nominated Node", "Where it may run once others have gone."),
    wide("Readiness Gates", "How many of its gates are open."),
];

/// What a row says about containers.
#[derive(Default)]
struct Count {
    ready: usize,
    restarts: i64,
    last: String,
}

impl Count {
    fn add(&mut self, status: &Value) {
        self.restarts += number(status, "/restartCount").unwrap_or_default();
        let finished = text(status, "/lastState/terminated/finishedAt");
        if *finished > *self.last {
            finished.clone_into(&mut self.last);
        }
    }
}

/// The cells.
pub(super) fn cells(pod: &Value, now: Timestamp) -> Vec<Value> {
    let (count, reason) = state(pod);
    let total = items(pod, "/spec/containers").len()
        + items(pod, "/spec/initContainers").iter().filter(|c| text(c, "/restartPolicy") == "Always").count();
    let restarts = if count.restarts != 0 && !count.last.is_empty() {
        format!("{} ({} ago)", count.restarts, since(&count.last, now))
    } else {
        count.restarts.to_string()
    };
    vec![
        columns::name(pod),
        format!("{}/{total}", count.ready).into(),
        reason.into(),
        restarts.into(),
        columns::age(pod, now),
        or_none(text(pod, "/status/podIPs/0/ip")),
        or_none(text(pod, "/spec/nodeName")),
        or_none(text(pod, "/status/nominatedNodeName")),
        or_none(&gates(pod)),
    ]
}

fn state(pod: &Value) -> (Count, String) {
    let phase = text(pod, "/status/phase");
    let own = text(pod, "/status/reason");
    let mut reason = if own.is_empty() { phase } else { own }.to_owned();
    let gated = |c: &Value| text(c, "/type") == "PodScheduled" && text(c, "/reason") == "SchedulingGated";
    if items(pod, "/status/conditions").iter().any(gated) {
        reason = "SchedulingGated".to_owned();
    }
    let (initial, sidecars, initializing) = initial(pod);
    let mut count = initial;
    if let Some(why) = &initializing {
        reason.clone_from(why);
    }
    if initializing.is_none() || condition(pod, "Initialized") {
        count = sidecars;
        running(pod, &mut count, &mut reason);
    }
    if !text(pod, "/metadata/deletionTimestamp").is_empty() {
        if own == "NodeLost" {
            reason = "Unknown".to_owned();
        } else if !matches!(phase, "Succeeded" | "Failed") {
            reason = "Terminating".to_owned();
        }
    }
    (count, reason)
}

/// Counts over the init containers (all, and those that go on running), and why the pod still initializes.
fn initial(pod: &Value) -> (Count, Count, Option<String>) {
    let declared = items(pod, "/spec/initContainers");
    let lasting = declared.iter().filter(|c| text(c, "/restartPolicy") == "Always");
    let lasting: std::collections::HashSet<&str> = lasting.map(|c| text(c, "/name")).collect();
    let goes_on = |name: &str| lasting.contains(name);
    let (mut all, mut sidecars) = (Count::default(), Count::default());
    for (index, status) in items(pod, "/status/initContainerStatuses").iter().enumerate() {
        let sidecar = goes_on(text(status, "/name"));
        all.add(status);
        if sidecar {
            sidecars.add(status);
        }
        let ended = at(status, "/state/terminated");
        if ended.is_object() && number(ended, "/exitCode").unwrap_or_default() == 0 {
            continue;
        }
        if sidecar && truth(status, "/started") {
            if truth(status, "/ready") {
                all.ready += 1;
                sidecars.ready += 1;
            }
            continue;
        }
        let waiting = text(status, "/state/waiting/reason");
        let why = if ended.is_object() {
            ending(ended)
        } else if !waiting.is_empty() && waiting != "PodInitializing" {
            waiting.to_owned()
        } else {
            format!("{index}/{}", declared.len())
        };
        return (all, sidecars, Some(format!("Init:{why}")));
    }
    (all, sidecars, None)
}

fn ending(terminated: &Value) -> String {
    let reason = text(terminated, "/reason");
    match number(terminated, "/signal").filter(|s| *s != 0) {
        _ if !reason.is_empty() => reason.to_owned(),
        Some(signal) => format!("Signal:{signal}"),
        None => format!("ExitCode:{}", number(terminated, "/exitCode").unwrap_or_default()),
    }
}

fn running(pod: &Value, count: &mut Count, reason: &mut String) {
    let mut any = false;
    for status in items(pod, "/status/containerStatuses").iter().rev() {
        count.add(status);
        let waiting = text(status, "/state/waiting/reason");
        let ended = at(status, "/state/terminated");
        if !waiting.is_empty() {
            waiting.clone_into(reason);
        } else if ended.is_object() {
            *reason = ending(ended);
        } else if truth(status, "/ready") && at(status, "/state/running").is_object() {
            any = true;
            count.ready += 1;
        }
    }
    if reason == "Completed" && any {
        *reason = if condition(pod, "Ready") { "Running" } else { "NotReady" }.to_owned();
    }
}

fn condition(pod: &Value, kind: &str) -> bool {
    items(pod, "/status/conditions").iter().any(|c| text(c, "/type") == kind && text(c, "/status") == "True")
}

fn gates(pod: &Value) -> String {
    let gates = items(pod, "/spec/readinessGates");
    if gates.is_empty() {
        return String::new();
    }
    let open = gates.iter().filter(|gate| condition(pod, text(gate, "/conditionType"))).count();
    format!("{open}/{}", gates.len())
}
