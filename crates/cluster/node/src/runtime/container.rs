//! One container, found by its directory.

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use eksile_base::files::{PRIVATE, replace};
use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::UnixStream;
use tokio::process::Command;

use super::exec::{Exec, ExecIo};
use crate::cgroup;
use crate::shim::life;
use crate::shim::protocol::{Birth, Exit, Reply, Request, ShimConfig, Started, files};

/// Longest line a shim prints.
const LINE_MAX: u64 = 64 * 1024;
/// How long a shim may take to take a request.
const TAKEN: Duration = Duration::from_secs(10);
/// How long it may take to answer. It never waits for the container itself, only for a program to start.
const ANSWERED: Duration = Duration::from_secs(20);
/// How long a container may take to start (`runtimeRequestTimeout`).
const STARTED: Duration = Duration::from_secs(120);
/// Between two attempts at a shim that is busy.
const AGAIN: Duration = Duration::from_millis(100);
/// While a container runs, its shim is looked for this often.
const LOOK: Duration = Duration::from_secs(10);

/// Why a container did not do as told.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The container could not be made or started.
    #[error("failed to create containerd task: failed to create shim task: OCI runtime create failed: {0}")]
    Start(String),
    /// The shim said no.
    #[error("{0}")]
    Refused(String),
    /// The container does not run.
    #[error("container not running")]
    NotRunning,
    /// A file or socket refused.
    #[error("{what}: {source}")]
    Io {
        /// What was attempted.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The shim's words, or one of its files, were not understood.
    #[error("{what}: {source}")]
    Malformed {
        /// Which.
        what: &'static str,
        /// Where it went wrong.
        source: serde_json::Error,
    },
}

impl RuntimeError {
    pub(super) fn io(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { what, source }
    }
}

/// A container and its directory. The directory holds `config.json`, `shim.json` and, mounted, its root file system.
#[derive(Debug, Clone)]
pub struct Container {
    directory: PathBuf,
}

impl Container {
    /// The container of a directory, running or not.
    #[must_use]
    pub fn at(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into() }
    }

    /// Its directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Starts a shim for it (`program` is the product's binary, called as `program shim DIRECTORY`).
    ///
    /// # Errors
    /// [`RuntimeError::Start`] with the runtime's reason.
    pub async fn start(&self, program: &Path) -> Result<Started, RuntimeError> {
        let log = fs::File::create(self.directory.join(files::SHIM_LOG)).map_err(RuntimeError::io("make the log"))?;
        let mut child = Command::new(program)
            .arg("shim")
            .arg(&self.directory)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .map_err(RuntimeError::io("start a shim"))?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            let mut said = BufReader::new(stdout.take(LINE_MAX));
            match tokio::time::timeout(STARTED, said.read_line(&mut line)).await {
                Ok(read) => drop(read.map_err(RuntimeError::io("read from the shim"))?),
                Err(_) => {
                    child.start_kill().map_err(RuntimeError::io("end a shim"))?;
                    self.kill_processes().await?;
                    return Err(RuntimeError::Start("context deadline exceeded".to_owned()));
                }
            }
        }
        // Dropping the handle leaves the shim alone; the runtime reaps it when it ends.
        match serde_json::from_str(&line) {
            Ok(Birth::Started(started)) => Ok(started),
            Ok(Birth::Failed(reason)) => Err(RuntimeError::Start(reason)),
            Err(source) => {
                let said = fs::read_to_string(self.directory.join(files::SHIM_LOG)).unwrap_or_default();
                tracing::warn!(directory = %self.directory.display(), said, "a shim died");
                Err(RuntimeError::Malformed { what: "the shim's first line", source })
            }
        }
    }

    /// What is known of its start.
    ///
    /// # Errors
    /// When the file is there but unreadable.
    pub fn started(&self) -> Result<Option<Started>, RuntimeError> {
        self.read(files::STARTED)
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    /// When the file is there but unreadable.
    pub fn exit(&self) -> Result<Option<Exit>, RuntimeError> {
        self.read(files::EXIT)
    }

    fn read<T: DeserializeOwned>(&self, name: &'static str) -> Result<Option<T>, RuntimeError> {
        let bytes = match fs::read(self.directory.join(name)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(RuntimeError::io(name)(error)),
        };
        serde_json::from_slice(&bytes).map(Some).map_err(|source| RuntimeError::Malformed { what: name, source })
    }

    /// Waits until it has ended. A container whose shim is known to be gone without a word is killed; it ended with 137.
    ///
    /// # Errors
    /// When its files are unreadable.
    pub async fn wait(&self) -> Result<Exit, RuntimeError> {
        loop {
            self.hear_its_end().await;
            // The file says it, not the shim's answer: a shim that was busy has refused, or said nothing.
            if let Some(exit) = self.exit()? {
                return Ok(exit);
            }
            if let Some(life) = self.shim_is_gone()? {
                let container = self.clone();
                let abandoned = tokio::task::spawn_blocking(move || container.abandon(&life)).await;
                return abandoned.map_err(|error| RuntimeError::io("give a container up")(io::Error::other(error)))?;
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// Asks the shim to tell of the end, and returns when it has, or its shim is gone, or it could not be asked.
    async fn hear_its_end(&self) {
        let Ok(stream) = self.request(&Request::Wait, &[]).await else { return };
        let mut answer = std::pin::pin!(receive(&stream));
        // A copy of the shim that makes a process in the container may have the other end of the stream, too.
        while tokio::time::timeout(LOOK, &mut answer).await.is_err() && matches!(self.shim_is_gone(), Ok(None)) {}
    }

    /// The lock that a living shim would have. None: it lives, or that is not known.
    fn shim_is_gone(&self) -> Result<Option<life::Held>, RuntimeError> {
        match life::take(&self.directory) {
            Ok(free) => Ok(free),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(RuntimeError::NotRunning),
            Err(error) => {
                tracing::warn!(%error, directory = %self.directory.display(), "a shim cannot be looked for");
                Ok(None)
            }
        }
    }

    /// Its shim was killed: nobody can say how it ends, so it ends now.
    fn abandon(&self, _life: &life::Held) -> Result<Exit, RuntimeError> {
        // Its last act may have been to write the end down.
        if let Some(exit) = self.exit()? {
            return Ok(exit);
        }
        let mut oom_killed = false;
        if let Some(config) = self.read::<ShimConfig>(files::SHIM)? {
            cgroup::kill_all(&config.cgroup);
            oom_killed = cgroup::oom_kills(&config.cgroup) > 0;
            if let Err(error) = cgroup::remove(&config.cgroup) {
                tracing::warn!(%error, id = config.id, "control group left behind");
            }
        }
        let now = jiff::Timestamp::now();
        let started_at = self.started()?.map_or(now, |started| started.at);
        let exit = Exit { code: 137, signal: Some(9), oom_killed, started_at, finished_at: now };
        let bytes =
            serde_json::to_vec(&exit).map_err(|source| RuntimeError::Malformed { what: files::EXIT, source })?;
        replace(&self.directory.join(files::EXIT), &bytes, PRIVATE).map_err(RuntimeError::io("write down the end"))?;
        Ok(exit)
    }

    /// Sends a signal to its first process.
    ///
    /// # Errors
    /// [`RuntimeError::NotRunning`], or the shim's reason.
    pub async fn kill(&self, signal: i32) -> Result<(), RuntimeError> {
        self.ask(&Request::Kill { signal }).await
    }

    /// Kills it with all its processes, whatever its shim does.
    ///
    /// # Errors
    /// When its files are unreadable.
    pub async fn end(&self) -> Result<(), RuntimeError> {
        // That says how it ended. The rest, and what a shim that does not answer has not done, is done here.
        let _ = self.kill(9).await;
        self.kill_processes().await
    }

    /// Kills a shim that does not tell the end of a container without processes; then the container is given up.
    ///
    /// # Errors
    /// When its files are unreadable, or the system refuses.
    pub fn end_shim(&self) -> Result<(), RuntimeError> {
        // While another has the lock, the number is still the shim's.
        match (self.exit()?, self.shim_is_gone()?, self.started()?) {
            (None, None, Some(started)) => {
                tracing::warn!(directory = %self.directory.display(), "a shim does not answer and is killed");
                let shim = nix::unistd::Pid::from_raw(started.shim_pid);
                nix::sys::signal::kill(shim, nix::sys::signal::Signal::SIGKILL)
                    .map_err(|error| RuntimeError::io("end a shim")(error.into()))
            }
            _ => Ok(()),
        }
    }

    async fn kill_processes(&self) -> Result<(), RuntimeError> {
        let Some(config) = self.read::<ShimConfig>(files::SHIM)? else { return Ok(()) };
        let killed = tokio::task::spawn_blocking(move || cgroup::kill_all(&config.cgroup)).await;
        killed.map_err(|error| RuntimeError::io("kill a container")(io::Error::other(error)))
    }

    /// Sets the size of its terminal, in characters.
    ///
    /// # Errors
    /// As [`Container::kill`]; also when it has none.
    pub async fn resize(&self, width: u16, height: u16) -> Result<(), RuntimeError> {
        self.ask(&Request::Resize { width, height }).await
    }

    async fn ask(&self, request: &Request) -> Result<(), RuntimeError> {
        let asked = async {
            let stream = self.request(request, &[]).await?;
            match answer(&stream).await?.0 {
                Some(Reply::Refused { reason }) => Err(RuntimeError::Refused(reason)),
                Some(_) => Ok(()),
                None => Err(RuntimeError::NotRunning),
            }
        };
        match asked.await {
            // Whatever a shim on its way out said or left unsaid.
            Err(_) if self.exit()?.is_some() => Err(RuntimeError::NotRunning),
            asked => asked,
        }
    }

    /// Runs an OCI `process` in it, with the given streams.
    ///
    /// # Errors
    /// [`RuntimeError::NotRunning`], or the runtime's reason.
    pub async fn exec(&self, process: serde_json::Value, io: ExecIo) -> Result<Exec, RuntimeError> {
        let fds: Vec<BorrowedFd<'_>> = match &io {
            ExecIo::Streams { stdin, stdout, stderr } => vec![stdin.as_fd(), stdout.as_fd(), stderr.as_fd()],
            ExecIo::Terminal => Vec::new(),
        };
        let stream = self.request(&Request::Exec { process }, &fds).await?;
        drop(io);
        match answer(&stream).await? {
            (Some(Reply::Running { pid }), fds) => Ok(Exec::new(pid, stream, fds.into_iter().next())),
            (Some(Reply::Refused { reason }), _) => Err(RuntimeError::Refused(reason)),
            (Some(other), _) => Err(RuntimeError::Refused(format!("unexpected answer {other:?}"))),
            (None, _) => Err(RuntimeError::NotRunning),
        }
    }

    /// Hands a request to the shim, which answers on the stream.
    async fn request(&self, request: &Request, fds: &[BorrowedFd<'_>]) -> Result<UnixStream, RuntimeError> {
        let taken = async {
            let stream = self.connect().await?;
            send(&stream, request, fds).await?;
            Ok(stream)
        };
        let late = |_| RuntimeError::io("ask the shim")(io::ErrorKind::TimedOut.into());
        tokio::time::timeout(TAKEN, taken).await.map_err(late)?
    }

    /// A socket's name may have 107 bytes, so the directory is named by a descriptor.
    async fn connect(&self) -> Result<UnixStream, RuntimeError> {
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => RuntimeError::NotRunning,
            _ => RuntimeError::io("ask the shim")(error),
        };
        let directory = fs::File::open(&self.directory).map_err(failed)?;
        let path = format!("/proc/self/fd/{}/{}", directory.as_raw_fd(), files::SOCKET);
        loop {
            match UnixStream::connect(&path).await {
                // So many wait to be heard that there is no place in the queue (connect(2), EAGAIN).
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => tokio::time::sleep(AGAIN).await,
                connected => return connected.map_err(failed),
            }
        }
    }
}

async fn send(stream: &UnixStream, request: &Request, fds: &[BorrowedFd<'_>]) -> Result<(), RuntimeError> {
    let mut line = serde_json::to_vec(request).map_err(|source| RuntimeError::Malformed { what: "request", source })?;
    line.push(b'\n');
    eksile_linux::fdpass::send_all(stream, &line, fds).await.map_err(RuntimeError::io("ask the shim"))
}

/// [`receive`], from a shim that may not take long.
async fn answer(stream: &UnixStream) -> Result<(Option<Reply>, Vec<OwnedFd>), RuntimeError> {
    let late = |_| RuntimeError::io("hear from the shim")(io::ErrorKind::TimedOut.into());
    tokio::time::timeout(ANSWERED, receive(stream)).await.map_err(late)?
}

/// One reply with the descriptors beside it; none when the shim closed the connection.
pub(super) async fn receive(stream: &UnixStream) -> Result<(Option<Reply>, Vec<OwnedFd>), RuntimeError> {
    let mut text = Vec::new();
    let mut fds = Vec::new();
    // Byte by byte would be needed to leave a second line in the socket; replies are rare and short.
    let mut byte = [0; 1];
    loop {
        let (count, more) = eksile_linux::fdpass::receive_some(stream, &mut byte)
            .await
            .map_err(RuntimeError::io("hear from the shim"))?;
        fds.extend(more);
        match (count, byte[0]) {
            (0, _) => return Ok((None, fds)),
            (_, b'\n') => break,
            (_, other) => text.push(other),
        }
    }
    let reply = serde_json::from_slice(&text).map_err(|source| RuntimeError::Malformed { what: "reply", source })?;
    Ok((Some(reply), fds))
}
