//! What the node agent and a shim say to each other: one JSON object a line, descriptors beside it.
//!
//! The agent connects to `control.sock` in the container's directory. Each connection carries one request.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::limits::Limits;
use super::seccomp::Profile;

/// The container's directory holds these files; all paths below are relative to it.
pub mod files {
    /// OCI runtime configuration (the directory is the bundle).
    pub const SPEC: &str = "config.json";
    /// [`super::ShimConfig`].
    pub const SHIM: &str = "shim.json";
    /// Where requests arrive.
    pub const SOCKET: &str = "control.sock";
    /// [`super::Started`].
    pub const STARTED: &str = "started.json";
    /// [`super::Exit`].
    pub const EXIT: &str = "exit.json";
    /// What the shim itself has to say.
    pub const SHIM_LOG: &str = "shim.log";
    /// Locked while the shim lives.
    pub const LIFE: &str = "shim.lock";
    /// The runtime library's own state.
    pub const STATE: &str = "state";
}

/// What a shim needs besides the OCI configuration.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ShimConfig {
    /// The container's id.
    pub id: String,
    /// Where its output goes, in the CRI log format.
    pub log_path: PathBuf,
    /// Above it: between the two there is no link.
    pub log_root: PathBuf,
    /// Bytes after which the log is rotated; 0 never.
    pub log_max_bytes: u64,
    /// Rotated logs kept.
    pub log_keep: u32,
    /// Absolute cgroup path, as in the OCI configuration.
    pub cgroup: PathBuf,
    /// What that group limits.
    #[serde(default)]
    pub limits: Limits,
    /// Which system calls it may make; none: all.
    #[serde(default)]
    pub seccomp: Option<Profile>,
}

/// A container that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// Process id of the container's first process, in the agent's PID namespace.
    pub pid: i32,
    /// Process id of the shim.
    pub shim_pid: i32,
    /// When it started.
    pub at: jiff::Timestamp,
}

/// How a container ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// As a shell would say it: the status, or 128 + signal.
    pub code: i32,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Whether the kernel killed a process of it for memory.
    pub oom_killed: bool,
    /// When it started.
    pub started_at: jiff::Timestamp,
    /// When it ended.
    pub finished_at: jiff::Timestamp,
}

/// The first line a shim prints.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Birth {
    /// The container runs.
    Started(Started),
    /// It does not, and why.
    Failed(String),
}

/// One request.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Request {
    /// Keeps the connection open until the container has ended; then [`Reply::Exited`].
    Wait,
    /// Sends a signal to the container's first process.
    Kill {
        /// Signal number.
        signal: i32,
    },
    /// Runs another process in the container. Without a terminal three descriptors travel with the request
    /// (standard input, output, error); with one, its master travels with [`Reply::Running`]. The process runs as long as
    /// the connection is open: when that is closed before, it is killed with all that came of it.
    Exec {
        /// An OCI `process` object.
        process: serde_json::Value,
    },
    /// Sets the size of the container's own terminal.
    Resize {
        /// Columns.
        width: u16,
        /// Rows.
        height: u16,
    },
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// Done.
    Done,
    /// The process of an exec runs; `Exited` follows.
    Running {
        /// Its process id.
        pid: i32,
    },
    /// The process (or container) ended.
    Exited {
        /// As a shell would say it.
        code: i32,
    },
    /// Not done, and why.
    Refused {
        /// The reason.
        reason: String,
    },
}
