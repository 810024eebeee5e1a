//! The runtime library behind the shim: create, start, exec, delete.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use eksile_base::files::write_private;
use libcontainer::container::Container;
use libcontainer::container::builder::ContainerBuilder;
use libcontainer::oci_spec::runtime::Spec;
use libcontainer::syscall::syscall::SyscallType;
use libcontainer::workload::default::DefaultExecutor;
use libcontainer::workload::{Executor, ExecutorError, ExecutorValidationError};
use nix::sys::signal::SigSet;
use rustix::fs::{FileType, Uid, fchown};

use super::ShimError;
use super::limits;
use super::protocol::{ShimConfig, files};
use super::seccomp::{self, Profile};

/// A container that has been started.
pub(super) struct Running {
    pub(super) pid: i32,
    pub(super) output: Output,
    container: Container,
}

/// Where its output comes from.
pub(super) enum Output {
    /// Standard output and error.
    Pipes(OwnedFd, OwnedFd),
    /// The master of its terminal.
    Terminal(OwnedFd),
    /// Taken already.
    None,
}

/// Undoes, in the container's process, what the shim changed for itself: blocked signals and ignored SIGPIPE. Last
/// before its program, sets the filter of system calls.
#[derive(Clone)]
struct CleanSlate(DefaultExecutor, Option<Profile>);

impl Executor for CleanSlate {
    fn exec(&self, spec: &Spec) -> Result<(), ExecutorError> {
        SigSet::empty().thread_set_mask().map_err(|error| ExecutorError::Other(error.to_string()))?;
        eksile_linux::signal::default_broken_pipe().map_err(|error| ExecutorError::Other(error.to_string()))?;
        if let Some(profile) = &self.1 {
            seccomp::confine(profile).map_err(|error| ExecutorError::Other(error.to_string()))?;
        }
        self.0.exec(spec)
    }

    fn validate(&self, spec: &Spec) -> Result<(), ExecutorValidationError> {
        self.0.validate(spec)
    }
}

fn builder(config: &ShimConfig) -> Result<ContainerBuilder, ShimError> {
    std::fs::create_dir_all(files::STATE).map_err(ShimError::io("make the state directory"))?;
    let builder = ContainerBuilder::new(config.id.clone(), SyscallType::default())
        .with_executor(CleanSlate(DefaultExecutor {}, config.seccomp.clone()))
        .with_root_path(files::STATE)
        .map_err(|error| refused(&error))?;
    builder.validate_id().map_err(|error| refused(&error))
}

/// Creates and starts the container described in the current directory.
pub(super) fn start(config: &ShimConfig) -> Result<Running, ShimError> {
    let spec = Spec::load(files::SPEC).map_err(|error| ShimError::Runtime(error.to_string()))?;
    let terminal = spec.process().as_ref().and_then(|process| process.terminal()).unwrap_or(false);
    let bundle = std::env::current_dir().map_err(ShimError::io("find the container's directory"))?;
    let builder = builder(config)?;
    let (container, output) = if terminal {
        let console = Console::listen("console")?;
        let builder = builder.with_console_socket(Some(console.path.clone()));
        let container = build(builder, &bundle)?;
        (container, Output::Terminal(console.receive()?))
    } else {
        let (out, out_writer) = io::pipe().map_err(ShimError::io("make a pipe"))?;
        let (err, err_writer) = io::pipe().map_err(ShimError::io("make a pipe"))?;
        let user = spec.process().as_ref().map_or(0, |process| process.user().uid());
        own(&[out_writer.as_fd(), err_writer.as_fd()], user)?;
        let nothing = std::fs::File::open("/dev/null").map_err(ShimError::io("open /dev/null"))?;
        let builder = builder.with_stdin(nothing).with_stdout(out_writer).with_stderr(err_writer);
        (build(builder, &bundle)?, Output::Pipes(out.into(), err.into()))
    };
    let mut container = container;
    // Its first process is in the group and waits for the word.
    if let Err(error) = limits::apply(&config.cgroup, &config.limits) {
        let _ = container.delete(true);
        return Err(ShimError::Io { what: "limit the container", source: error });
    }
    container.start().map_err(|error| refused(&error))?;
    let pid = container.pid().ok_or_else(|| ShimError::Runtime("the container has no process".to_owned()))?;
    Ok(Running { pid: pid.as_raw(), output, container })
}

/// Pipes become the user's whose program writes to them: it may open `/dev/stdout` again, as servers do for their logs.
/// What is no pipe (`/dev/null`) is the node's, and stays.
fn own(streams: &[BorrowedFd<'_>], user: u32) -> Result<(), ShimError> {
    for stream in streams {
        let kind = rustix::fs::fstat(stream).map_err(ShimError::io("look at a stream"))?.st_mode;
        if FileType::from_raw_mode(kind) == FileType::Fifo {
            fchown(stream, Some(Uid::from_raw(user)), None).map_err(ShimError::io("give a stream to its user"))?;
        }
    }
    Ok(())
}

fn build(builder: ContainerBuilder, bundle: &Path) -> Result<Container, ShimError> {
    builder.as_init(bundle).with_systemd(false).with_detach(true).build().map_err(|error| refused(&error))
}

impl Running {
    /// Removes the library's state and the control groups.
    pub(super) fn delete(&mut self) -> Result<(), ShimError> {
        self.container.delete(true).map_err(|error| refused(&error))
    }
}

/// Runs `process` (an OCI process object) in the container. `stdio` is empty when the process asks for a terminal; then
/// its master is returned.
pub(super) fn exec(
    config: &ShimConfig,
    number: u64,
    process: &serde_json::Value,
    stdio: Vec<OwnedFd>,
) -> Result<(i32, Option<OwnedFd>), ShimError> {
    let path = PathBuf::from(format!("exec-{number}.json"));
    write_private(&path, process.to_string().as_bytes()).map_err(ShimError::io("write the process"))?;
    let user = process["user"]["uid"].as_u64().and_then(|user| u32::try_from(user).ok()).unwrap_or(0);
    let result = exec_from(config, number, &path, process["terminal"] == true, (stdio, user));
    // Only the start needs it; a file left behind goes with the directory.
    let _ = std::fs::remove_file(&path);
    result
}

fn exec_from(
    config: &ShimConfig,
    number: u64,
    process: &Path,
    terminal: bool,
    (stdio, user): (Vec<OwnedFd>, u32),
) -> Result<(i32, Option<OwnedFd>), ShimError> {
    let builder = builder(config)?;
    let run = |builder: ContainerBuilder| {
        let tenant = builder.as_tenant().with_process(Some(process)).with_detach(true);
        tenant.build().map(|pid| pid.as_raw()).map_err(|error| refused(&error))
    };
    if terminal {
        let console = Console::listen(&format!("console-{number}"))?;
        let pid = run(builder.with_console_socket(Some(console.path.clone())))?;
        return Ok((pid, Some(console.receive()?)));
    }
    let Ok([stdin, stdout, stderr]) = <[OwnedFd; 3]>::try_from(stdio) else {
        return Err(ShimError::Runtime("exec without a terminal needs three descriptors".to_owned()));
    };
    own(&[stdin.as_fd(), stdout.as_fd(), stderr.as_fd()], user)?;
    Ok((run(builder.with_stdin(stdin).with_stdout(stdout).with_stderr(stderr))?, None))
}

/// Where the runtime library sends the master of a new terminal.
struct Console {
    listener: UnixListener,
    path: PathBuf,
}

impl Console {
    fn listen(name: &str) -> Result<Self, ShimError> {
        let path = PathBuf::from(name);
        // Left by an earlier shim, perhaps; if it stays, the next line says so.
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path).map_err(ShimError::io("listen for a terminal"))?;
        let here = std::env::current_dir().map_err(ShimError::io("find the container's directory"))?;
        Ok(Self { listener, path: here.join(path) })
    }

    /// Called when the process has been made, so the connection is there.
    fn receive(self) -> Result<OwnedFd, ShimError> {
        let (stream, _) = self.listener.accept().map_err(ShimError::io("accept a terminal"))?;
        let (_, fds) = eksile_linux::fdpass::receive(stream.as_fd(), &mut [0; 256])
            .map_err(ShimError::io("receive a terminal"))?;
        // It goes with the directory if not now.
        let _ = std::fs::remove_file(&self.path);
        fds.into_iter().next().ok_or_else(|| ShimError::Runtime("no terminal came".to_owned()))
    }
}

/// The library's error with its causes, outermost first, each said once.
fn refused(error: &(dyn std::error::Error + 'static)) -> ShimError {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let said = inner.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = inner.source();
    }
    ShimError::Runtime(text)
}
