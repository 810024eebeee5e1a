//! Instances on their way up. Nobody waits for one: whatever holds it up holds no other.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use eksile_linux::process::Identity;
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::instance::{self, InstanceError, Spec};

/// Starts at once; further ones wait.
const AT_ONCE: usize = 16;
/// Pause before an instance is started again whose first process ended soon; doubled each time.
const FIRST: Duration = Duration::from_millis(500);
/// Longest pause.
const MOST: Duration = Duration::from_secs(30);
/// After running this long it counts as healthy, and the next start is quick again.
const HEALTHY: Duration = Duration::from_secs(60);

/// Starts that have begun, and when each instance was started last.
#[derive(Debug)]
pub(super) struct Starts {
    under_way: HashMap<String, UnderWay>,
    last: HashMap<String, Last>,
    seats: Arc<Semaphore>,
}

#[derive(Debug)]
struct UnderWay {
    start: JoinHandle<Result<Identity, InstanceError>>,
    again: bool,
}

#[derive(Debug)]
struct Last {
    when: Instant,
    pause: Duration,
}

/// What has become of a start.
pub(super) enum Started {
    /// None had begun, or it is up.
    Nothing,
    UnderWay,
    /// It is up again.
    Again,
    Failed(InstanceError),
}

impl Default for Starts {
    fn default() -> Self {
        Self { under_way: HashMap::new(), last: HashMap::new(), seats: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

impl Starts {
    /// Begins to start an instance that is not starting. `again`: its first process ended by itself.
    pub(super) fn begin(&mut self, spec: Spec, again: bool) {
        let (id, now) = (spec.id.clone(), Instant::now());
        let pause = match self.last.get(&id) {
            Some(last) if again && now.duration_since(last.when) < HEALTHY => (last.pause * 2).min(MOST),
            _ => FIRST,
        };
        self.last.insert(id.clone(), Last { when: now, pause });
        let seats = Arc::clone(&self.seats);
        let start = tokio::spawn(async move {
            let gone = |error: String| InstanceError::Start(format!("its start ended: {error}"));
            let seat = seats.acquire_owned().await.map_err(|error| gone(error.to_string()))?;
            let started = spawn_blocking(move || instance::start(&spec)).await;
            drop(seat);
            started.unwrap_or_else(|error| Err(gone(error.to_string())))
        });
        self.under_way.insert(id, UnderWay { start, again });
    }

    /// Takes what has become of an instance's start; told once.
    pub(super) async fn take(&mut self, id: &str) -> Started {
        if self.under_way.get(id).is_some_and(|under_way| !under_way.start.is_finished()) {
            return Started::UnderWay;
        }
        let Some(UnderWay { start, again }) = self.under_way.remove(id) else { return Started::Nothing };
        match start.await {
            Ok(Ok(_)) if again => Started::Again,
            Ok(Ok(_)) => Started::Nothing,
            Ok(Err(error)) => Started::Failed(error),
            Err(error) => Started::Failed(InstanceError::Start(error.to_string())),
        }
    }

    /// When an instance that has ended by itself may be started again, if not now.
    pub(super) fn pause(&self, id: &str) -> Option<Instant> {
        let last = self.last.get(id)?;
        Some(last.when + last.pause).filter(|again| *again > Instant::now())
    }

    /// Forgets those that are no longer.
    pub(super) fn keep(&mut self, known: impl Fn(&str) -> bool) {
        self.last.retain(|id, _| known(id));
        self.under_way.retain(|id, under_way| known(id) || !under_way.start.is_finished());
    }
}
