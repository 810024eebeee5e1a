//! A process started in a running container.

use std::os::fd::OwnedFd;

use tokio::net::UnixStream;

use super::container::{RuntimeError, receive};
use crate::shim::protocol::Reply;

/// What the process reads and writes.
#[derive(Debug)]
pub enum ExecIo {
    /// Descriptors handed to it.
    Streams {
        /// Its standard input.
        stdin: OwnedFd,
        /// Its standard output.
        stdout: OwnedFd,
        /// Its standard error.
        stderr: OwnedFd,
    },
    /// A new terminal, whose master [`Exec::terminal`] gives.
    Terminal,
}

/// A process that runs (or ran). Dropped before it has ended, it is killed, with its children.
#[derive(Debug)]
pub struct Exec {
    pid: i32,
    stream: UnixStream,
    terminal: Option<OwnedFd>,
}

impl Exec {
    pub(super) fn new(pid: i32, stream: UnixStream, terminal: Option<OwnedFd>) -> Self {
        Self { pid, stream, terminal }
    }

    /// Its process id, in the agent's PID namespace.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// The master of its terminal; none when it has no terminal, or it was taken before.
    pub fn terminal(&mut self) -> Option<OwnedFd> {
        self.terminal.take()
    }

    /// Waits for its end: its status, or 128 + signal.
    ///
    /// # Errors
    /// [`RuntimeError::NotRunning`] when the container ended first.
    pub async fn wait(&self) -> Result<i32, RuntimeError> {
        match receive(&self.stream).await? {
            (Some(Reply::Exited { code }), _) => Ok(code),
            _ => Err(RuntimeError::NotRunning),
        }
    }
}
