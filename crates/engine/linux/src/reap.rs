//! Children of a first process, which also inherits every orphan of its PID namespace.
//!
//! The kernel hands orphans to the first process, which must collect them or they stay as
//! zombies. Collecting "any child" would steal the exit status that `std` and `tokio` children
//! wait for, so a process that reaps starts **all** its children here.

use std::collections::HashMap;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

type Waiting = HashMap<u32, oneshot::Sender<ExitStatus>>;

/// Starts children and collects the ended ones, orphans included.
#[derive(Debug, Clone)]
pub struct Children {
    waiting: Arc<Mutex<Waiting>>,
}

/// A child that was started; it is collected whether or not anybody waits.
#[derive(Debug)]
pub struct Started {
    /// Its process id.
    pub pid: u32,
    /// Its exit status, once it has ended.
    pub exit: oneshot::Receiver<ExitStatus>,
}

impl Children {
    /// Begins collecting, on the current tokio runtime. Once per process.
    ///
    /// # Errors
    /// When `SIGCHLD` cannot be listened to.
    pub fn collect() -> io::Result<Self> {
        let mut ended = signal(SignalKind::child())?;
        let children = Self { waiting: Arc::default() };
        let collector = children.clone();
        tokio::spawn(async move {
            loop {
                collector.collect_ended();
                if ended.recv().await.is_none() {
                    return;
                }
            }
        });
        Ok(children)
    }

    /// Starts a child.
    ///
    /// # Errors
    /// As `Command::spawn`.
    pub fn spawn(&self, command: &mut Command) -> io::Result<Started> {
        // Held while the child starts, so that it cannot be collected before it is known.
        let mut waiting = self.lock();
        let pid = command.spawn()?.id();
        let (sender, exit) = oneshot::channel();
        waiting.insert(pid, sender);
        Ok(Started { pid, exit })
    }

    fn collect_ended(&self) {
        let mut waiting = self.lock();
        // An error says that there is no child any more.
        while let Some((pid, status)) = waitpid(None, Some(WaitPidFlag::WNOHANG)).ok().and_then(exit_status) {
            if let Some(sender) = waiting.remove(&pid) {
                // Nobody waiting is allowed.
                let _unheard = sender.send(status);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The exit status, when that is what `waitpid` reported.
pub(crate) fn exit_status(status: WaitStatus) -> Option<(u32, ExitStatus)> {
    match status {
        WaitStatus::Exited(pid, code) => Some((pid.as_raw().unsigned_abs(), ExitStatus::from_raw((code & 0xff) << 8))),
        WaitStatus::Signaled(pid, signal, _) => {
            Some((pid.as_raw().unsigned_abs(), ExitStatus::from_raw(signal as i32)))
        }
        _ => None,
    }
}
