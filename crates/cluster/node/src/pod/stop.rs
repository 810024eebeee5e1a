//! How a container is asked to end: its `preStop` hook, its signal, and when its time is up SIGKILL.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{LifecycleHandler, Pod};
use nix::sys::signal::Signal;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::handler::Target;
use super::hook;
use super::task::Task;
use super::worker::Happened;

/// What is left to a container after its hook, however long that took (`minimumGracePeriodInSeconds`).
const LEAST: Duration = Duration::from_secs(2);
/// Between two SIGKILLs.
const AGAIN: Duration = Duration::from_secs(2);
/// After so many of them the shim has nothing to tell any more.
const ROUNDS: u32 = 10;

/// What is done to end a container.
pub(crate) struct Farewell {
    pub(crate) target: Target,
    pub(crate) pod: Arc<Pod>,
    pub(crate) hook: Option<LifecycleHandler>,
    /// Asks it to end.
    pub(crate) signal: Signal,
    pub(crate) sender: mpsc::Sender<Happened>,
}

/// A container that has been asked to end. Dropped when it has.
#[derive(Debug)]
pub(crate) struct Stopping {
    deadline: watch::Sender<Instant>,
    _task: Task,
}

impl Stopping {
    pub(crate) fn begin(farewell: Farewell, deadline: Instant) -> Self {
        let (deadline, until) = watch::channel(deadline);
        Self { deadline, _task: Task::spawn(farewell.run(until)) }
    }

    /// Its time may become shorter, never longer.
    pub(crate) fn by(&self, deadline: Instant) {
        self.deadline.send_if_modified(|old| {
            let sooner = deadline < *old;
            *old = deadline.min(*old);
            sooner
        });
    }
}

impl Farewell {
    async fn run(self, mut until: watch::Receiver<Instant>) {
        let mut least = Instant::now();
        let in_time = *until.borrow() > least;
        if let Some(hook) = self.hook.as_ref().filter(|_| in_time) {
            tokio::select! {
                outcome = hook::run(hook, &self.target, &self.pod) => if let Err(reason) = outcome {
                    let id = self.target.id.clone();
                    // The worker may be gone; then nobody needs to know.
                    drop(self.sender.send(Happened::FarewellFailed { id, reason }).await);
                },
                () = past(&mut until, least) => {
                    tracing::warn!(container = self.target.container, "preStop hook not completed in grace period");
                }
            }
            least = Instant::now() + LEAST;
        }
        // It may have ended on its own, which is told elsewhere; so the outcome of signals is not looked at.
        if in_time {
            let _ = self.target.handle.kill(self.signal as i32).await;
            past(&mut until, least).await;
        }
        for round in 1_u32.. {
            if let Err(error) = self.target.handle.end().await {
                tracing::warn!(%error, container = self.target.container, "not killed yet");
            }
            tokio::time::sleep(AGAIN).await;
            if round >= ROUNDS
                && let Err(error) = self.target.handle.end_shim()
            {
                tracing::warn!(%error, container = self.target.container, "its shim is not killed yet");
            }
        }
    }
}

/// Waits for the deadline, which may come nearer, but at least until `least`.
async fn past(until: &mut watch::Receiver<Instant>, least: Instant) {
    loop {
        let at = (*until.borrow_and_update()).max(least);
        tokio::select! {
            () = tokio::time::sleep_until(at) => return,
            // Without a sender the task is about to end.
            changed = until.changed() => if changed.is_err() { return },
        }
    }
}

/// A signal by its name or number, as images have it.
pub(crate) fn signal(text: &str) -> Option<Signal> {
    let name = text.trim().to_ascii_uppercase();
    if let Ok(number) = name.parse::<i32>() {
        return Signal::try_from(number).ok();
    }
    let name = if name.starts_with("SIG") { name } else { format!("SIG{name}") };
    name.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pod::recorder::Recorder;
    use serde_json::json;

    /// Ends a recorded container, with a hook that exits with `code`, or none.
    fn end(
        recorder: &Recorder,
        hook: Option<serde_json::Value>,
        grace: Duration,
    ) -> (Stopping, mpsc::Receiver<Happened>) {
        let (sender, events) = mpsc::channel(1);
        let wanted = serde_json::from_value(json!({"name": "c"})).unwrap();
        let farewell = Farewell {
            target: Target::new(&wanted, "id", &recorder.container, "127.0.0.1"),
            pod: Arc::new(Pod::default()),
            hook: hook.map(|hook| serde_json::from_value(hook).unwrap()),
            signal: Signal::SIGQUIT,
            sender,
        };
        (Stopping::begin(farewell, Instant::now() + grace), events)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_hook_comes_before_the_signal_and_its_failure_stops_nothing() {
        let recorder = Recorder::new(3);
        let hook = json!({"exec": {"command": ["bye"]}});
        let (_stopping, mut events) = end(&recorder, Some(hook), Duration::from_secs(60));
        let Some(Happened::FarewellFailed { reason, .. }) = events.recv().await else { panic!("no word of it") };
        assert!(reason.contains("exited with 3: said"), "{reason}");
        assert_eq!([recorder.next(), recorder.next()], ["exec [\"bye\"]", "kill 3"]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn when_its_time_is_up_it_is_killed() {
        let recorder = Recorder::new(0);
        let (stopping, _events) = end(&recorder, None, Duration::from_secs(60));
        assert_eq!(recorder.next(), "kill 3");
        stopping.by(Instant::now());
        assert_eq!(recorder.next(), "kill 9");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn without_any_time_it_is_killed_at_once() {
        let recorder = Recorder::new(0);
        let hook = json!({"exec": {"command": ["bye"]}});
        let (_stopping, _events) = end(&recorder, Some(hook), Duration::ZERO);
        assert_eq!(recorder.next(), "kill 9");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_hook_takes_its_time_from_the_grace() {
        let recorder = Recorder::new(0);
        let (begin, grace) = (Instant::now(), Duration::from_millis(50));
        let (_stopping, _events) = end(&recorder, Some(json!({"sleep": {"seconds": 60}})), grace);
        assert_eq!(recorder.next(), "kill 3");
        assert!((grace..Duration::from_secs(30)).contains(&begin.elapsed()));
    }

    #[test]
    fn signals_have_names_and_numbers() {
        for (text, expected) in [
            ("SIGQUIT", Some(Signal::SIGQUIT)),
            ("quit", Some(Signal::SIGQUIT)),
            ("3", Some(Signal::SIGQUIT)),
            ("SIGNO", None),
            ("", None),
        ] {
            assert_eq!(signal(text), expected, "{text}");
        }
    }

    #[tokio::test]
    async fn a_deadline_comes_nearer_but_not_below_the_least() {
        let (begin, least) = (Instant::now(), Duration::from_millis(20));
        let (sender, mut until) = watch::channel(begin + Duration::from_secs(60));
        let nearer = async { sender.send_replace(begin) };
        tokio::join!(past(&mut until, begin + least), nearer);
        assert!((least..Duration::from_secs(60)).contains(&begin.elapsed()));
    }
}
