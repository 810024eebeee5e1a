//! Instances on their way down.

use std::time::Duration;

use eksile_linux::{Error as LinuxError, process::Identity};
use rustix::process::Signal;

use crate::instance;

/// How long an instance may take to shut down.
const SHUTDOWN: Duration = Duration::from_secs(3);
/// How long one that is ended may take for it before that is told.
const END: Duration = Duration::from_secs(10);

/// First processes that were told to shut down. Nobody waits for one: a slow shutdown must not keep the site from its
/// other work.
#[derive(Debug, Default)]
pub(super) struct Stops(Vec<Identity>);

impl Stops {
    /// Whether this one was told.
    pub(super) fn have(&self, process: Identity) -> bool {
        self.0.contains(&process)
    }

    /// Tells `process` to shut down, once, and ends it, with all that is in the instance's control group, if it has not
    /// obeyed after [`SHUTDOWN`].
    pub(super) fn begin(&mut self, process: Identity, cgroup: String) -> Result<(), LinuxError> {
        self.0.retain(|other| other.is_alive());
        match process.signal(Signal::TERM) {
            Err(error) if error.is_absent() => return Ok(()),
            other => other?,
        }
        self.0.push(process);
        tokio::spawn(async move {
            match tokio::time::timeout(SHUTDOWN, process.ended()).await {
                Ok(Ok(())) => return,
                Ok(Err(error)) => tracing::warn!(%error, pid = process.pid, "cannot watch an instance end"),
                Err(_) => tracing::info!(pid = process.pid, "an instance did not shut down in time: it is ended"),
            }
            end(process, cgroup).await;
        });
        Ok(())
    }
}

async fn end(process: Identity, cgroup: String) {
    // What is frozen does not end.
    let thawed = tokio::task::spawn_blocking(move || instance::thaw(&cgroup)).await;
    match thawed {
        Ok(Err(error)) => tracing::warn!(%error, pid = process.pid, "what is frozen in an instance stays so"),
        Err(error) => tracing::warn!(%error, pid = process.pid, "what is frozen in an instance stays so"),
        Ok(Ok(())) => {}
    }
    match process.signal(Signal::KILL) {
        Err(error) if !error.is_absent() => tracing::warn!(%error, pid = process.pid, "an instance stays"),
        _ => {}
    }
    if tokio::time::timeout(END, process.ended()).await.is_err() {
        tracing::warn!(pid = process.pid, "an instance that was ended is there still; what it has is kept for it");
    }
}
