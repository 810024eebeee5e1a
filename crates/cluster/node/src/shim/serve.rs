//! The shim's loop: output, requests, and ended processes, on one thread.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::{Duration, Instant};

use eksile_base::files::{PRIVATE, replace};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::ShimError;
use super::birth::{Birth, Outcome};
use super::family;
use super::logfile::{LogFile, Stream};
use super::output::Source;
use super::protocol::{Exit, Reply, Request, ShimConfig, Started, files};
use super::runtime::{Output, Running};
use crate::cgroup;

/// Longest request, in bytes.
const REQUEST_MAX: usize = 256 * 1024;
/// How long one client may take to hand over its request.
const PATIENCE: Duration = Duration::from_secs(1);
/// Most programs that are on their way to run at once.
const BIRTHS_MAX: usize = 64;

/// A started container and everything that hangs on it.
pub(super) struct Server {
    config: ShimConfig,
    container: Running,
    started: Started,
    signals: SignalFd,
    listener: UnixListener,
    sources: Vec<Source>,
    terminal: bool,
    log: LogFile,
    waiting: Vec<UnixStream>,
    births: Vec<Birth>,
    execs: HashMap<i32, UnixStream>,
    exec_count: u64,
    exit: Option<Exit>,
    buffer: Vec<u8>,
    records: Vec<u8>,
}

impl Server {
    /// Takes charge of a container that runs.
    pub(super) fn new(config: ShimConfig, mut container: Running) -> Result<Self, ShimError> {
        let mut mask = SigSet::empty();
        for signal in [Signal::SIGCHLD, Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
            mask.add(signal);
        }
        mask.thread_block().map_err(ShimError::io("block signals"))?;
        let signals = SignalFd::with_flags(&mask, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
            .map_err(ShimError::io("make a signal descriptor"))?;
        let listener = UnixListener::bind(files::SOCKET).map_err(ShimError::io("listen"))?;
        fs::set_permissions(files::SOCKET, fs::Permissions::from_mode(0o600)).map_err(ShimError::io("listen"))?;
        let log = LogFile::open(&config.log_root, &config.log_path, config.log_max_bytes, config.log_keep)
            .map_err(ShimError::io("open the log"))?;
        let (sources, terminal) = sources(&mut container.output)?;
        let started =
            Started { pid: container.pid, shim_pid: nix::unistd::getpid().as_raw(), at: jiff::Timestamp::now() };
        write_durably(files::STARTED, &started)?;
        Ok(Self {
            config,
            container,
            started,
            signals,
            listener,
            sources,
            terminal,
            log,
            waiting: Vec::new(),
            births: Vec::new(),
            execs: HashMap::new(),
            exec_count: 0,
            exit: None,
            buffer: vec![0; 32 * 1024],
            records: Vec::new(),
        })
    }

    pub(super) fn started(&self) -> &Started {
        &self.started
    }

    /// Works until the container has ended and that is written down.
    pub(super) fn run(mut self) -> Result<(), ShimError> {
        // The container may have ended before its signal was blocked.
        self.reap();
        while self.exit.is_none() {
            let (requested, signalled) = self.wait()?;
            self.pump();
            if requested {
                self.accept();
            }
            if signalled {
                while let Ok(Some(_)) = self.signals.read_signal() {}
            }
            self.settle();
            self.reap();
        }
        self.finish()
    }

    /// Waits for something to happen: a request, a signal, a client that goes (or just output).
    fn wait(&mut self) -> Result<(bool, bool), ShimError> {
        let mut fds = vec![
            PollFd::new(self.listener.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.signals.as_fd(), PollFlags::POLLIN),
        ];
        let clients: Vec<i32> = self.execs.keys().copied().collect();
        let to_read = |fd| PollFd::new(fd, PollFlags::POLLIN);
        fds.extend(self.execs.values().map(AsFd::as_fd).chain(self.waiting.iter().map(AsFd::as_fd)).map(to_read));
        let births = fds.len();
        fds.extend(self.births.iter().flat_map(Birth::descriptors).map(to_read));
        let open = self.sources.iter().filter_map(Source::descriptor);
        fds.extend(open.map(to_read));
        let left = self.births.iter().map(|birth| birth.until().saturating_duration_since(Instant::now())).min();
        // Rounded up, so that it has passed then.
        let left = left.map(|left| PollTimeout::try_from(left + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX));
        match poll(&mut fds, left.unwrap_or(PollTimeout::NONE)) {
            Ok(_) => {}
            Err(nix::errno::Errno::EINTR) => return Ok((false, false)),
            Err(error) => return Err(ShimError::io("wait")(error)),
        }
        let happened = |fd: &PollFd<'_>| fd.any().unwrap_or(true);
        let (requested, signalled) = (happened(&fds[0]), happened(&fds[1]));
        // A client has nothing more to say: what comes is its end.
        let (of_execs, of_waiting) = fds[2..births].split_at(clients.len());
        let gone: Vec<i32> =
            clients.into_iter().zip(of_execs).filter(|(_, fd)| happened(fd)).map(|(pid, _)| pid).collect();
        let waits: Vec<bool> = of_waiting.iter().map(|fd| !happened(fd)).collect();
        let unwanted: Vec<bool> =
            fds[births..].chunks(2).take(self.births.len()).map(|of| happened(&of[1]) && !happened(&of[0])).collect();
        let mut waits = waits.into_iter();
        self.waiting.retain(|_| waits.next().unwrap_or(true));
        let mut unwanted = unwanted.into_iter();
        self.births.retain(|birth| {
            let gone = unwanted.next().unwrap_or(false);
            if gone {
                birth.give_up("nobody waits for it");
            }
            !gone
        });
        for pid in gone {
            // Not reaped yet, so the number is still this process's. Nobody asks how it ended.
            self.execs.remove(&pid);
            family::end(pid);
        }
        Ok((requested, signalled))
    }

    fn pump(&mut self) {
        for source in &mut self.sources {
            source.pump(&mut self.log, &mut self.buffer, &mut self.records);
        }
    }

    fn accept(&mut self) {
        let mut stream = match self.listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) => return tracing::warn!(%error, "accepting"),
        };
        let request = read_request(&stream);
        let answered = match request {
            Ok((request, fds)) => self.answer(request, fds, stream),
            Err(error) => say(&mut stream, &refuse(&error)),
        };
        if let Err(error) = answered {
            tracing::warn!(%error, "a client went away");
        }
    }

    fn answer(&mut self, request: Request, fds: Vec<OwnedFd>, mut stream: UnixStream) -> io::Result<()> {
        match request {
            Request::Wait => {
                self.waiting.push(stream);
                Ok(())
            }
            Request::Kill { signal } => {
                let sent = Signal::try_from(signal).and_then(|signal| kill(Pid::from_raw(self.started.pid), signal));
                say(&mut stream, &sent.map_or_else(|error| refuse(&error), |()| Reply::Done))
            }
            Request::Resize { width, height } => {
                let Some(source) = self.sources.first().filter(|_| self.terminal) else {
                    return say(&mut stream, &refuse(&"the container has no terminal"));
                };
                let done = eksile_linux::terminal::resize(source.file(), width, height);
                say(&mut stream, &done.map_or_else(|error| refuse(&error), |()| Reply::Done))
            }
            Request::Exec { process } => self.exec(&process, fds, stream),
        }
    }

    fn exec(&mut self, process: &serde_json::Value, fds: Vec<OwnedFd>, mut stream: UnixStream) -> io::Result<()> {
        if self.births.len() >= BIRTHS_MAX {
            return say(&mut stream, &refuse(&"too many programs are being started in the container"));
        }
        self.exec_count += 1;
        match Birth::begin(&self.config, self.exec_count, process, fds, stream) {
            Ok(birth) => self.births.push(birth),
            Err((error, mut stream)) => say(&mut stream, &refuse(&error))?,
        }
        Ok(())
    }

    /// Takes the word of every copy of this process that has one, and ends those that take too long.
    fn settle(&mut self) {
        let execs = &mut self.execs;
        self.births.retain(|birth| match birth.look() {
            Outcome::None if birth.until() <= Instant::now() => {
                birth.give_up("the process did not start in time: the container may keep it from that");
                false
            }
            Outcome::None => true,
            Outcome::Runs(pid, client) => {
                // Its end must be told, and it must be reaped, even if this client is gone.
                execs.insert(pid, client);
                false
            }
            Outcome::Failed => false,
        });
    }

    /// Takes every process that has ended. Orphans of the container come here too and are only reaped.
    fn reap(&mut self) {
        loop {
            let (pid, code, signal) = match waitpid(None::<Pid>, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, code)) => (pid.as_raw(), code, None),
                Ok(WaitStatus::Signaled(pid, signal, _)) => (pid.as_raw(), 128 + signal as i32, Some(signal as i32)),
                Ok(WaitStatus::StillAlive) | Err(_) => return,
                Ok(_) => continue,
            };
            if !self.execs.contains_key(&pid) {
                // A process becomes this one's child when the copy that made it has ended, after its word.
                self.settle();
                self.births.retain(|birth| !birth.was_made_by(pid));
            }
            if let Some(mut stream) = self.execs.remove(&pid) {
                // A client that has gone does not ask any more; so below.
                let _ = say(&mut stream, &Reply::Exited { code });
            }
            if pid == self.started.pid {
                self.exit = Some(Exit {
                    code,
                    signal,
                    oom_killed: cgroup::oom_kills(&self.config.cgroup) > 0,
                    started_at: self.started.at,
                    finished_at: jiff::Timestamp::now(),
                });
            }
        }
    }

    /// The first process has ended: kill what is left, write the end down, tell those who wait, clean up.
    fn finish(mut self) -> Result<(), ShimError> {
        for birth in self.births.drain(..) {
            birth.give_up("the container has ended");
        }
        cgroup::kill_all(&self.config.cgroup);
        self.reap();
        self.pump();
        let Some(exit) = self.exit.take() else { return Ok(()) };
        write_durably(files::EXIT, &exit)?;
        for stream in &mut self.waiting {
            let _ = say(stream, &Reply::Exited { code: exit.code });
        }
        // Nobody listens any more, which a caller finds out either way.
        let _ = fs::remove_file(files::SOCKET);
        self.container.delete()
    }
}

fn sources(output: &mut Output) -> Result<(Vec<Source>, bool), ShimError> {
    let source = |fd: OwnedFd, stream| Source::new(fd, stream).map_err(ShimError::io("prepare a pipe"));
    match std::mem::replace(output, Output::None) {
        Output::Pipes(out, err) => Ok((vec![source(out, Stream::Stdout)?, source(err, Stream::Stderr)?], false)),
        Output::Terminal(master) => Ok((vec![source(master, Stream::Stdout)?], true)),
        Output::None => Ok((Vec::new(), false)),
    }
}

/// Reads one line and the descriptors that came with it.
fn read_request(stream: &UnixStream) -> io::Result<(Request, Vec<OwnedFd>)> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut text = Vec::new();
    let mut fds = Vec::new();
    let mut buffer = vec![0; 16 * 1024];
    while text.last() != Some(&b'\n') {
        let (count, more) = eksile_linux::fdpass::receive(stream.as_fd(), &mut buffer)?;
        if count == 0 || text.len() + count > REQUEST_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
        text.extend_from_slice(&buffer[..count]);
        fds.extend(more);
    }
    Ok((serde_json::from_slice(&text)?, fds))
}

fn say(stream: &mut UnixStream, reply: &Reply) -> io::Result<()> {
    stream.write_all(&line(reply))
}

pub(super) fn line(reply: &Reply) -> Vec<u8> {
    let mut bytes = serde_json::to_vec(reply).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

fn refuse(reason: &dyn std::fmt::Display) -> Reply {
    Reply::Refused { reason: reason.to_string() }
}

/// Whole or not at all, and on disk when this returns.
fn write_durably(name: &'static str, value: &impl serde::Serialize) -> Result<(), ShimError> {
    let bytes = serde_json::to_vec(value).map_err(|source| ShimError::Malformed { what: name, source })?;
    replace(Path::new(name), &bytes, PRIVATE).map_err(ShimError::io("write down the state"))
}
