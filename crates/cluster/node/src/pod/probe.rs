//! Probes: a container is asked how it is, and the answers are counted.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Container as Wanted, Probe};
use tokio::sync::mpsc;

use super::handler::{Action, Target};
use super::slot::Slot;
use super::task::Task;
use super::worker::Happened;

const AGENT: &str = "kube-probe/1.33";

/// Which question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Startup,
    Readiness,
    Liveness,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Startup => "startup",
            Self::Readiness => "readiness",
            Self::Liveness => "liveness",
        })
    }
}

/// One answer.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) container: String,
    pub(crate) id: String,
    pub(crate) kind: Kind,
    /// Or what was wrong.
    pub(crate) outcome: Result<(), String>,
}

/// A failure to be told.
pub(crate) struct Failure {
    pub(crate) message: String,
    pub(crate) kill: bool,
    /// Seconds it has to end, if not the pod's.
    pub(crate) grace: Option<i64>,
}

struct State {
    _task: Task,
    good: bool,
    row: (bool, i32),
    needed: (i32, i32),
    grace: Option<i64>,
}

/// The probes of a pod's containers.
#[derive(Default)]
pub(crate) struct Probes(HashMap<(String, Kind), State>);

impl Probes {
    /// Starts the probes of a container, unless they run.
    pub(crate) fn start(&mut self, wanted: &Wanted, target: &Target, sender: &mpsc::Sender<Happened>) {
        let started = !self.0.contains_key(&(target.id.clone(), Kind::Startup));
        let held = wanted.startup_probe.is_some() && started;
        let kinds = [
            (Kind::Startup, &wanted.startup_probe),
            (Kind::Readiness, &wanted.readiness_probe),
            (Kind::Liveness, &wanted.liveness_probe),
        ];
        for (kind, probe) in kinds {
            let Some(probe) = probe.clone() else { continue };
            let key = (target.id.clone(), kind);
            if self.0.contains_key(&key) {
                continue;
            }
            let needed = (probe.success_threshold.unwrap_or(1), probe.failure_threshold.unwrap_or(3));
            let grace = probe.termination_grace_period_seconds;
            let task = Task::spawn(ask(kind, probe, target.clone(), sender.clone()));
            // Readiness is bad until it is good; liveness good until it is bad.
            let good = kind == Kind::Liveness;
            self.0.insert(key, State { _task: task, good, row: (good, 0), needed, grace });
        }
        if held {
            tracing::debug!(container = target.container, "held back by its startup probe");
        }
    }

    /// The container has ended.
    pub(crate) fn stop(&mut self, id: &str) {
        self.0.retain(|(one, _), _| one != id);
    }

    /// Counts an answer. A failure says whether the container must go.
    pub(crate) fn found(&mut self, finding: &Finding) -> Option<Failure> {
        let up = self.started(&finding.id);
        let state = self.0.get_mut(&(finding.id.clone(), finding.kind))?;
        // Until a container has started, only its startup probe counts; afterwards that one no more.
        if up == (finding.kind == Kind::Startup) {
            return None;
        }
        let good = finding.outcome.is_ok();
        state.row = if state.row.0 == good { (good, state.row.1 + 1) } else { (good, 1) };
        let enough = state.row.1 >= if good { state.needed.0 } else { state.needed.1 };
        if enough {
            state.good = good;
        }
        let reason = finding.outcome.as_ref().err()?;
        let name = finding.kind.to_string();
        let name = format!("{}{}", name[..1].to_uppercase(), &name[1..]);
        let kill = enough && finding.kind != Kind::Readiness;
        Some(Failure { message: format!("{name} probe failed: {reason}"), kill, grace: state.grace })
    }

    /// Whether its startup probe, if it has one, has succeeded.
    pub(crate) fn started(&self, id: &str) -> bool {
        self.0.get(&(id.to_owned(), Kind::Startup)).is_none_or(|state| state.good)
    }

    /// Whether a container may get traffic.
    pub(crate) fn ready(&self, slot: &Slot) -> bool {
        let Some(run) = slot.current.as_ref().filter(|_| slot.up()) else { return false };
        let id = &run.record.id;
        let known = |kind| self.0.get(&(id.clone(), kind)).is_some_and(|state: &State| state.good);
        let asked = |probe: &Option<Probe>, kind| probe.is_none() || known(kind);
        asked(&slot.wanted.startup_probe, Kind::Startup) && asked(&slot.wanted.readiness_probe, Kind::Readiness)
    }
}

async fn ask(kind: Kind, probe: Probe, target: Target, sender: mpsc::Sender<Happened>) {
    let seconds =
        |value: Option<i32>, least: i32| Duration::from_secs(value.unwrap_or(least).max(least).cast_unsigned().into());
    tokio::time::sleep(seconds(probe.initial_delay_seconds, 0)).await;
    let period =
        if probe.period_seconds.is_some() { seconds(probe.period_seconds, 1) } else { Duration::from_secs(10) };
    let patience = seconds(probe.timeout_seconds, 1);
    let action = Action::from(&probe);
    let mut ticks = tokio::time::interval(period);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let outcome = tokio::time::timeout(patience, once(&action, &target)).await;
        let outcome = outcome.unwrap_or_else(|_| Err(late(&action, patience)));
        let finding = Finding { container: target.container.clone(), id: target.id.clone(), kind, outcome };
        if sender.send(Happened::Probed(finding)).await.is_err() {
            return;
        }
    }
}

/// What is said of an answer that did not come in time.
fn late(action: &Action, patience: Duration) -> String {
    match action {
        Action::Exec(command) => {
            format!("command timed out: {:?} timed out after {}s", command.join(" "), patience.as_secs())
        }
        _ => format!("no answer within {}s", patience.as_secs()),
    }
}

async fn once(action: &Action, target: &Target) -> Result<(), String> {
    match action {
        Action::Exec(command) => target.command(command.clone()).await.map_err(|failed| failed.said),
        Action::Get(get) => match target.get(get, AGENT).await? {
            200..400 => Ok(()),
            status => Err(format!("HTTP probe failed with statuscode: {status}")),
        },
        Action::Dial(tcp) => target.dial(tcp).await,
        Action::Grpc(grpc) => target.health(grpc).await,
        Action::Sleep(_) | Action::Unknown => Err("missing probe handler".to_owned()),
    }
}
