//! One container of a pod over its starts: what runs, how it ended, when it may run again.

use std::path::Path;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Container as Wanted;
use serde_json::{Value, json};

use super::launch::Record;
use super::stop::Stopping;
use super::task::Task;
use crate::beneath;
use crate::runtime::Container;
use crate::shim::protocol::{Exit, Started};

/// Back-off of restarts: 10 s, doubled up to 300 s, forgotten after 10 minutes of running.
const FIRST: Duration = Duration::from_secs(10);
const MOST: Duration = Duration::from_secs(300);
const FORGET: i64 = 600;
/// Longest last word.
const MESSAGE_MAX: u64 = 4096;
/// Of a log in its place: lines, bytes (`MaxContainerTerminationMessageLog…`), and bytes looked at for them.
const LOG_LINES: usize = 80;
const LOG_MAX: usize = 2048;
const LOG_READ: u64 = 64 << 10;

/// One start.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) container: Container,
    pub(crate) record: Record,
    pub(crate) started: Option<Started>,
    pub(crate) exit: Option<Exit>,
}

/// A container of the pod.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) wanted: Wanted,
    pub(crate) init: bool,
    pub(crate) current: Option<Run>,
    pub(crate) last: Option<Run>,
    /// Why it does not run: reason and message.
    pub(crate) waiting: Option<(String, String)>,
    /// When it may be tried again.
    pub(crate) retry: Option<Instant>,
    /// Its `postStart` hook, while that runs: the container has not started until it is done.
    pub(crate) starting: Option<Task>,
    /// Set while it is being ended.
    pub(crate) stopping: Option<Stopping>,
    /// Why its `postStart` hook failed.
    pub(crate) hook_failed: Option<String>,
    /// It starts again however it ends: what it should run has changed.
    pub(crate) renewed: bool,
    /// Why it has not run yet, if nothing is wrong.
    pub(crate) unborn: &'static str,
    pause: Option<Duration>,
}

impl Slot {
    pub(crate) fn new(wanted: Wanted, init: bool) -> Self {
        Self {
            wanted,
            init,
            current: None,
            last: None,
            waiting: None,
            retry: None,
            starting: None,
            stopping: None,
            hook_failed: None,
            renewed: false,
            unborn: "ContainerCreating",
            pause: None,
        }
    }

    pub(crate) fn runs(&self) -> bool {
        self.current.as_ref().is_some_and(|run| run.exit.is_none())
    }

    /// Runs, and its `postStart` hook is done.
    pub(crate) fn up(&self) -> bool {
        self.runs() && self.starting.is_none()
    }

    /// It has not run yet, as far as anybody is told.
    pub(crate) fn new_here(&self) -> bool {
        self.last.is_none() && (self.current.is_none() || self.starting.is_some())
    }

    pub(crate) fn exit(&self) -> Option<&Exit> {
        self.current.as_ref().and_then(|run| run.exit.as_ref())
    }

    pub(crate) fn succeeded(&self) -> bool {
        self.exit().is_some_and(|exit| exit.code == 0)
    }

    /// Why it does not run, if it has not run yet.
    pub(crate) fn waits(&self) -> Option<String> {
        let reason = self.waiting.as_ref().map_or(self.unborn, |(reason, _)| reason);
        (self.current.is_none() && self.last.is_none()).then(|| reason.to_owned())
    }

    /// The number of the next start.
    pub(crate) fn next_attempt(&self) -> u32 {
        self.current.as_ref().or(self.last.as_ref()).map_or(0, |run| run.record.attempt + 1)
    }

    /// Something failed: when it may be tried again. The first time after an exit it may at once.
    pub(crate) fn back_off(&mut self, after_exit: bool) -> Duration {
        let ran = self.exit().map_or(0, |exit| exit.finished_at.as_second() - exit.started_at.as_second());
        if ran > FORGET {
            self.pause = None;
        }
        let pause = self.pause.unwrap_or(if after_exit { Duration::ZERO } else { FIRST });
        self.pause = Some(if pause.is_zero() { FIRST } else { (pause * 2).min(MOST) });
        self.retry = Some(Instant::now() + pause);
        pause
    }

    /// It runs.
    pub(crate) fn began(&mut self, run: Run) {
        self.last = self.current.take().or_else(|| self.last.take());
        self.current = Some(run);
        self.waiting = None;
        self.retry = None;
        self.hook_failed = None;
        self.renewed = false;
    }

    /// It has ended.
    pub(crate) fn ended(&mut self, exit: Exit) {
        if let Some(run) = self.current.as_mut() {
            run.exit = Some(exit);
        }
        self.starting = None;
        self.stopping = None;
    }

    /// Its entry in `containerStatuses`.
    pub(crate) fn status(&self, ready: bool, started: bool) -> Value {
        let run = self.current.as_ref();
        let shown = run.or(self.last.as_ref());
        let restarts = shown.map_or(0, |run| run.record.attempt);
        let (state, last) = self.states();
        let mut status = json!({
            "name": self.wanted.name,
            "image": shown.map_or_else(|| self.wanted.image.clone().unwrap_or_default(), |run| run.record.image.clone()),
            "imageID": shown.map_or("", |run| &run.record.image_id),
            "restartCount": restarts,
            "ready": ready,
            "started": started,
            "state": state,
            "lastState": last,
        });
        if let Some(run) = shown {
            status["containerID"] = format!("eksile://{}", run.record.id).into();
        }
        status
    }

    fn states(&self) -> (Value, Value) {
        let ended = |run: &Run| run.exit.as_ref().map(|exit| terminated(&self.wanted, run, exit));
        let before = self.last.as_ref().and_then(ended);
        match (&self.current, &self.waiting) {
            (current, Some((reason, message))) => {
                let last = current.as_ref().and_then(ended).or(before);
                (json!({"waiting": {"reason": reason, "message": message}}), last.unwrap_or_else(|| json!({})))
            }
            (Some(run), None) => match ended(run) {
                Some(ended) => (ended, before.unwrap_or_else(|| json!({}))),
                None if self.starting.is_some() => {
                    (json!({"waiting": {"reason": "ContainerCreating"}}), before.unwrap_or_else(|| json!({})))
                }
                None => {
                    let at = run.started.as_ref().map_or_else(jiff::Timestamp::now, |started| started.at);
                    (json!({"running": {"startedAt": seconds(at)}}), before.unwrap_or_else(|| json!({})))
                }
            },
            (None, None) => (json!({"waiting": {"reason": self.unborn}}), json!({})),
        }
    }
}

/// A time as the API has it.
pub(crate) fn seconds(at: jiff::Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn terminated(wanted: &Wanted, run: &Run, exit: &Exit) -> Value {
    let reason = match (exit.oom_killed, exit.code) {
        (true, _) => "OOMKilled",
        (false, 0) => "Completed",
        (false, _) => "Error",
    };
    let mut state = json!({
        "exitCode": exit.code, "reason": reason,
        "startedAt": seconds(exit.started_at), "finishedAt": seconds(exit.finished_at),
        "containerID": format!("eksile://{}", run.record.id),
    });
    let message = last_word(wanted, run, exit);
    if !message.is_empty() {
        state["message"] = message.into();
    }
    json!({"terminated": state})
}

/// What it left for its status (Kubernetes documentation, "Customizing the termination message").
fn last_word(wanted: &Wanted, run: &Run, exit: &Exit) -> String {
    // What cannot be read has not been said. Its file is the container's: of any size, and of any kind.
    let parent = run.record.termination.parent().unwrap_or(Path::new("/"));
    let file = beneath::plain_file(parent, &run.record.termination);
    let text = file.and_then(|file| beneath::tail(file, MESSAGE_MAX)).unwrap_or_default();
    let fall_back = wanted.termination_message_policy.as_deref() == Some("FallbackToLogsOnError");
    let text = if text.is_empty() && fall_back && exit.code != 0 { tail(&run.record.log) } else { text };
    String::from_utf8_lossy(&text).into_owned()
}

/// The last lines of a log, as much of them as upstream shows.
fn tail(log: &Path) -> Vec<u8> {
    // Below the directory of all logs there are three names: the pod's, the container's, the file's.
    let file = beneath::plain_file(log.ancestors().nth(3).unwrap_or(Path::new("/")), log);
    let bytes = file.and_then(|file| beneath::tail(file, LOG_READ)).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().filter_map(|line| line.splitn(4, ' ').nth(3)).collect();
    let shown = lines[lines.len().saturating_sub(LOG_LINES)..].join("\n").into_bytes();
    shown[shown.len().saturating_sub(LOG_MAX)..].to_vec()
}
