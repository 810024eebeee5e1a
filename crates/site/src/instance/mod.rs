//! An instance: a small system container with a first process of its own.
//!
//! It sees `/usr` and its like of the host read-only, a synthesized `/etc`, its own `/var`, and nothing else of the
//! host. Its first process runs the user data like cloud-init and keeps the kubelet running like systemd.

mod applets;
mod cgroups;
mod enter;
mod etc;
mod fetch;
mod first;
mod journal;
mod plain;
mod root;
mod unit;
mod user_data;

use std::fs;
use std::io::{self, Read as _};
use std::net::Ipv4Addr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use eksile_base::files::write_private;
use eksile_linux::{IdRange, process::Identity};
use serde::{Deserialize, Serialize};

pub use fetch::fetch;
pub(crate) use journal::DIRECTORY as JOURNALS;

/// What an instance is started with.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Spec {
    /// `i-…`.
    pub id: String,
    /// What it keeps: its disk.
    pub dir: PathBuf,
    /// Its network namespace, wired up already.
    pub netns: PathBuf,
    /// Gets the first process's pid and start time.
    pub pid_file: PathBuf,
    /// Private DNS name.
    pub hostname: String,
    /// The Region, for search domains.
    pub region: String,
    /// The VPC's resolver; none when the VPC has no DNS support.
    pub resolver: Option<Ipv4Addr>,
    /// As the caller of `RunInstances` gave it. Written beside the disk, not into this description.
    #[serde(skip)]
    pub user_data: Option<Vec<u8>>,
    /// Its control group, a path inside each hierarchy.
    pub cgroup_parent: String,
    /// The product's binary.
    pub program: PathBuf,
    /// Whom programs inside trust for TLS, PEM.
    pub trusted_ca: PathBuf,
    /// What its type promises, which is all that it gets.
    pub machine: Machine,
    /// Its users' and groups' ids on this machine.
    #[serde(with = "base")]
    pub ids: IdRange,
}

/// A range is told by its first id.
mod base {
    use super::IdRange;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(ids: &IdRange, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u32(ids.base)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<IdRange, D::Error> {
        Ok(IdRange { base: u32::deserialize(from)? })
    }
}

/// Where the product's binary is inside.
pub(crate) const PROGRAM: &str = "/opt/eksile/bin/eksile";

/// The size that an instance type promises (`/run/eksile/machine.json` inside).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Virtual CPUs.
    pub vcpus: u32,
    /// Memory in MiB.
    pub memory_mib: u64,
}

/// What the first process says, inside: on the instance's disk like everything that it writes.
pub(crate) const CONSOLE: &str = "/var/log/console.log";

/// Files in the instance's directory, outside of what it sees itself.
mod files {
    pub(super) const SPEC: &str = "spec.json";
    pub(super) const USER_DATA: &str = "user-data";
    /// Where it lies inside; a copy of [`super::Spec::machine`].
    pub(super) const MACHINE: &str = "machine.json";
}

/// Why an instance did not start.
#[derive(Debug, thiserror::Error)]
pub enum InstanceError {
    /// A file, mount or namespace refused.
    #[error("{what}: {source}")]
    Io {
        /// What was attempted.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// A process.
    #[error(transparent)]
    Linux(#[from] eksile_linux::Error),
    /// Its description.
    #[error("description of the instance: {0}")]
    Spec(#[from] serde_json::Error),
    /// It ended before it was an instance.
    #[error("the instance did not start: {0}")]
    Start(String),
}

impl InstanceError {
    fn at<E: Into<io::Error>>(what: impl Into<String>) -> impl FnOnce(E) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source: source.into() }
    }
}

/// How long an instance may take to start, whatever is on its disk.
const PATIENCE: Duration = Duration::from_secs(30);
/// Longest that is heard of why it did not.
const HEARD: u64 = 16 * 1024;

/// Starts an instance. It does not end with this process; its pid file exists before it does anything. The caller waits
/// as long as that takes, which is bounded.
///
/// # Errors
/// [`InstanceError`]; then nothing runs.
pub fn start(spec: &Spec) -> Result<Identity, InstanceError> {
    start_within(spec, PATIENCE)
}

fn start_within(spec: &Spec, patience: Duration) -> Result<Identity, InstanceError> {
    let dir = &spec.dir;
    let mut private = fs::DirBuilder::new();
    private.recursive(true).mode(0o700).create(dir).map_err(InstanceError::at(dir.display().to_string()))?;
    write(&dir.join(files::SPEC), &serde_json::to_vec(spec)?)?;
    write(&dir.join(files::USER_DATA), spec.user_data.as_deref().unwrap_or_default())?;
    let mut entering = Command::new(&spec.program)
        .args(["instance", "enter"])
        .arg(dir.join(files::SPEC))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(InstanceError::at("start the instance"))?;
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = entering.try_wait().map_err(InstanceError::at("wait for the instance"))? {
            break status;
        }
        if begun.elapsed() > patience {
            give_up(spec, &mut entering)?;
            return Err(InstanceError::Start(format!("it did not within {patience:?}")));
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    if !status.success() {
        return Err(InstanceError::Start(heard(&mut entering)));
    }
    let identity = Identity::read(&spec.pid_file)?;
    identity.ok_or_else(|| InstanceError::Start("it left no pid file".to_owned()))
}

/// Ends all that an instance consists of that has not started in time.
fn give_up(spec: &Spec, entering: &mut Child) -> Result<(), InstanceError> {
    // One that has just ended is what is wanted.
    let _ended = entering.kill();
    entering.wait().map_err(InstanceError::at("end the instance's start"))?;
    cgroups::kill(&spec.cgroup_parent)?;
    match fs::remove_file(&spec.pid_file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(InstanceError::at(spec.pid_file.display().to_string())(error))
        }
        _ => Ok(()),
    }
}

/// What a start that has ended said. Whoever else still holds the other end of the pipe is not waited for.
fn heard(entering: &mut Child) -> String {
    let Some(said) = entering.stderr.take() else { return String::new() };
    let mut text = Vec::new();
    let heard = rustix::io::ioctl_fionbio(&said, true).map_err(io::Error::from);
    // What was read before an error, such as that nothing more is there, counts.
    let _end = heard.and_then(|()| said.take(HEARD).read_to_end(&mut text));
    String::from_utf8_lossy(&text).trim().to_owned()
}

/// Only root may read it: user data is often made of secrets.
fn write(path: &Path, bytes: &[u8]) -> Result<(), InstanceError> {
    write_private(path, bytes).map_err(InstanceError::at(path.display().to_string()))
}

/// Removes the control groups of an instance that has ended.
///
/// # Errors
/// When one is still in use.
pub(crate) fn forget(cgroup_parent: &str) -> Result<(), InstanceError> {
    cgroups::remove(cgroup_parent)
}

/// Lets the processes of an instance go on that something has frozen, so that they can be ended.
///
/// # Errors
/// When its control groups cannot be read.
pub(crate) fn thaw(cgroup_parent: &str) -> Result<(), InstanceError> {
    cgroups::thaw(cgroup_parent)
}

/// The controllers of control groups that instances need and this machine lacks: without them none starts.
///
/// # Errors
/// When there are no control groups.
pub fn missing_controllers() -> Result<Vec<&'static str>, InstanceError> {
    cgroups::missing()
}

/// `eksile instance …`: `enter SPEC` brings it to life from outside; `first` is its first process, `systemctl …` and
/// `journalctl …` are programs for use inside.
#[must_use]
pub fn main(arguments: &[String]) -> ExitCode {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["enter", spec] => read(Path::new(spec)).and_then(|spec| enter::enter(&spec)),
        ["first", _id] => first::run(),
        ["systemctl", rest @ ..] => return applets::systemctl(rest),
        ["journalctl", rest @ ..] => return applets::journalctl(rest),
        _ => {
            eprintln!("usage: eksile instance enter SPEC | first ID | systemctl … | journalctl …");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn read(path: &Path) -> Result<Spec, InstanceError> {
    Ok(serde_json::from_slice(&fs::read(path).map_err(InstanceError::at(path.display().to_string()))?)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn spec(folder: &Path, script: &str) -> Spec {
        let program = folder.join("program");
        fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        Spec {
            id: "i-1".to_owned(),
            dir: folder.join("i-1"),
            netns: PathBuf::new(),
            pid_file: folder.join("i-1.pid"),
            hostname: String::new(),
            region: String::new(),
            resolver: None,
            user_data: None,
            cgroup_parent: format!("eksile-test/{}-start", std::process::id()),
            program,
            trusted_ca: PathBuf::new(),
            machine: Machine { vcpus: 1, memory_mib: 64 },
            ids: IdRange { base: 0x7000_0000 },
        }
    }

    #[test]
    fn a_start_that_hangs_is_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let hangs = spec(folder.path(), "exec sleep 1000");
        fs::write(&hangs.pid_file, "").unwrap();
        let begun = Instant::now();
        let why = start_within(&hangs, Duration::from_millis(100)).unwrap_err().to_string();
        assert!(begun.elapsed() < Duration::from_secs(20) && why.contains("100ms"), "{why}");
        assert!(!hangs.pid_file.exists());
    }

    #[test]
    fn why_it_did_not_start_is_heard_though_something_of_it_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let fails = spec(folder.path(), "sleep 30 & echo \"no root\" >&2; echo $! > $0.pid; exit 1");
        let begun = Instant::now();
        let why = start_within(&fails, Duration::from_secs(20)).unwrap_err().to_string();
        assert!(begun.elapsed() < Duration::from_secs(10) && why.ends_with("no root"), "{why}");
        let pid = fs::read_to_string(folder.path().join("program.pid")).unwrap().trim().parse().unwrap();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL).unwrap();
    }
}
