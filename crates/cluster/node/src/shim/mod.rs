//! The process beside each container: single-threaded, it makes the container, owns its output, reaps its processes,
//! runs others in it, and writes down how it ended.
//!
//! It is the product's own binary started again, before any thread or runtime exists: the runtime library clones and
//! then allocates in the child, which deadlocks in a threaded process. The node agent may die and come back; the shim
//! goes on and answers on `control.sock` in the container's directory.

mod birth;
mod family;
pub(crate) mod life;
pub mod limits;
pub mod logfile;
mod output;
pub mod protocol;
mod runtime;
pub mod seccomp;
mod serve;

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use protocol::{Birth, ShimConfig, files};

/// Why a shim could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum ShimError {
    /// A file or socket refused.
    #[error("{what}: {source}")]
    Io {
        /// What was attempted.
        what: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// The runtime library refused.
    #[error("{0}")]
    Runtime(String),
    /// A configuration file was not understood.
    #[error("{what}: {source}")]
    Malformed {
        /// Which.
        what: &'static str,
        /// Where it went wrong.
        source: serde_json::Error,
    },
}

impl ShimError {
    fn io<E: Into<std::io::Error>>(what: &'static str) -> impl FnOnce(E) -> Self {
        move |source| Self::Io { what, source: source.into() }
    }
}

/// Runs a shim for the container whose directory is the only argument. Must be called before any thread exists.
///
/// Prints one line, a [`Birth`] as JSON, then works until the container has ended.
#[must_use]
pub fn main(arguments: &[OsString]) -> ExitCode {
    let [directory] = arguments else {
        eprintln!("usage: eksile shim DIRECTORY");
        return ExitCode::from(2);
    };
    // Only our own words: the library also speaks in the container's process, whose standard error is the container's.
    let filter = tracing_subscriber::EnvFilter::new("eksile_node=warn");
    tracing_subscriber::fmt()
        .with_writer(|| eksile_base::stderr::Stderr)
        .log_internal_errors(false)
        .with_ansi(false)
        .with_env_filter(filter)
        .init();
    match run(Path::new(directory)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eksile_base::stderr::say(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

fn run(directory: &Path) -> Result<(), ShimError> {
    match prepare(directory).and_then(start) {
        Ok((_alive, server)) => {
            announce(&Birth::Started(server.started().clone()));
            server.run()
        }
        Err(error) => {
            announce(&Birth::Failed(error.to_string()));
            Err(error)
        }
    }
}

/// Own session (no terminal, no group shared with the agent), adopts orphans, works inside the container's directory
/// so that all paths are short, and is known to live.
fn prepare(directory: &Path) -> Result<(life::Held, ShimConfig), ShimError> {
    // Fails only for a group leader, which has what is wanted already.
    let _ = nix::unistd::setsid();
    rustix::process::set_child_subreaper(Some(rustix::process::getpid())).map_err(ShimError::io("become subreaper"))?;
    std::env::set_current_dir(directory).map_err(ShimError::io("enter the container's directory"))?;
    let alive = life::take(Path::new(".")).map_err(ShimError::io("lock the container"))?;
    let alive = alive.ok_or_else(|| ShimError::Runtime("the container has a shim already".to_owned()))?;
    if Path::new(files::EXIT).exists() {
        return Err(ShimError::Runtime("the container has been given up".to_owned()));
    }
    let bytes = std::fs::read(files::SHIM).map_err(ShimError::io("read shim.json"))?;
    let config = serde_json::from_slice(&bytes).map_err(|source| ShimError::Malformed { what: "shim.json", source })?;
    Ok((alive, config))
}

fn start((alive, config): (life::Held, ShimConfig)) -> Result<(life::Held, serve::Server), ShimError> {
    let cgroup = config.cgroup.clone();
    let container = runtime::start(&config)?;
    // A container that nobody serves must not go on.
    let server = serve::Server::new(config, container).inspect_err(|_| crate::cgroup::kill_all(&cgroup))?;
    Ok((alive, server))
}

/// The agent may be gone; that must not stop the container.
fn announce(birth: &Birth) {
    let mut line = serde_json::to_vec(birth).unwrap_or_default();
    line.push(b'\n');
    let _ = std::io::stdout().write_all(&line);
    let _ = std::io::stdout().flush();
}
