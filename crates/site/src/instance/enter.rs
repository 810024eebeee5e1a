//! From a process of the site to the first process of an instance.
//!
//! Three processes, one image. The one that the site starts keeps this machine's rights: it makes the control groups,
//! puts the root together, and writes the pid file. A copy of it crosses: it joins the groups, becomes root of the
//! instance's user namespace, which takes all rights outside from it, and makes the other namespaces there. A copy of
//! that one is the first of the PID namespace: it makes the root its own and executes the program that lies there, so
//! nothing of this machine is left in its memory, among its descriptors, or behind `/proc/1/exe`.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, PipeReader, PipeWriter, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use eksile_linux::{Namespace, fork, process, userns};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;

use super::cgroups::{self, Hierarchy};
use super::{CONSOLE, InstanceError, PROGRAM, Spec, plain, root};

const GO: &[u8] = b"go";
/// Namespaces that are made inside the user namespace, which then owns them.
const OWN: CloneFlags = CloneFlags::CLONE_NEWNS
    .union(CloneFlags::CLONE_NEWPID)
    .union(CloneFlags::CLONE_NEWUTS)
    .union(CloneFlags::CLONE_NEWIPC)
    .union(CloneFlags::CLONE_NEWCGROUP);

/// What the crossing needs of outside, opened before it loses the right to.
struct Crossing {
    network: File,
    owner: OwnedFd,
    groups: Vec<PathBuf>,
    hierarchies: Vec<Hierarchy>,
    hostname: String,
    /// Told to the first process only so that lists of processes on this machine tell instances apart.
    id: String,
}

/// The instance's first process runs when this returns.
pub(super) fn enter(spec: &Spec) -> Result<(), InstanceError> {
    let crossing = Crossing {
        network: File::open(&spec.netns).map_err(InstanceError::at(spec.netns.display().to_string()))?,
        owner: Namespace::at(&spec.netns).owner()?,
        groups: cgroups::make(spec)?,
        hierarchies: cgroups::hierarchies()?.into_iter().filter(|hierarchy| !hierarchy.freezes()).collect(),
        hostname: spec.hostname.clone(),
        id: spec.id.clone(),
    };
    unshare(CloneFlags::CLONE_NEWNS).map_err(InstanceError::at("new mount namespace"))?;
    root::stage(spec)?;
    let (said, report) = io::pipe().map_err(InstanceError::at("make a pipe"))?;
    let (word, go) = io::pipe().map_err(InstanceError::at("make a pipe"))?;
    let mut ends = Some((report, word, go));
    let pid = fork::copy(|| {
        let Some((mut report, word, go)) = ends.take() else { return 1 };
        drop(go);
        status(crossing.cross(&mut report, word), &mut report)
    })?;
    let Some((report, word, go)) = ends else { return Err(InstanceError::Start("it has ended".to_owned())) };
    drop((report, word));
    waitpid(Pid::from_raw(pid), None).map_err(InstanceError::at("wait for the crossing"))?;
    let launched = launch(spec, said, go);
    if launched.is_err() {
        // Whoever reads a pid file finds an instance that has been one.
        let _absent = fs::remove_file(&spec.pid_file);
    }
    launched
}

/// Writes the pid file, and only then gives the word: whoever reads no pid file finds no instance either.
fn launch(spec: &Spec, said: PipeReader, mut go: PipeWriter) -> Result<(), InstanceError> {
    let mut said = BufReader::new(said);
    let mut line = String::new();
    said.read_line(&mut line).map_err(InstanceError::at("hear of the first process"))?;
    let pid: i32 = line.trim().parse().map_err(|_| InstanceError::Start(line.trim().to_owned()))?;
    write_pid_file(spec, pid)?;
    go.write_all(GO).map_err(InstanceError::at("tell the first process"))?;
    drop(go);
    // Its end of the pipe closes when it executes its program; what it says before is why it could not.
    let mut why = String::new();
    said.read_to_string(&mut why).map_err(InstanceError::at("hear of the first process"))?;
    if why.is_empty() { Ok(()) } else { Err(InstanceError::Start(why.trim().to_owned())) }
}

fn write_pid_file(spec: &Spec, pid: i32) -> Result<(), InstanceError> {
    let stat = fs::read(format!("/proc/{pid}/stat")).map_err(InstanceError::at("read the first process's start"))?;
    let new = spec.pid_file.with_extension("new");
    fs::write(&new, stat)
        .and_then(|()| fs::rename(&new, &spec.pid_file))
        .map_err(InstanceError::at(spec.pid_file.display().to_string()))
}

/// What a copy ends with; a failure is told to the process that is waiting outside.
fn status(outcome: Result<(), InstanceError>, report: &mut PipeWriter) -> u8 {
    match outcome {
        Ok(()) => 0,
        Err(error) => {
            // Who does not listen any more does not need to know.
            let _unheard = writeln!(report, "{error}");
            1
        }
    }
}

impl Crossing {
    /// Second process: crosses, and makes the first of the instance.
    fn cross(&self, report: &mut PipeWriter, word: PipeReader) -> Result<(), InstanceError> {
        // Fails only for the leader of a session, which has what is wanted.
        let _ = nix::unistd::setsid();
        for group in &self.groups {
            let procs = group.join("cgroup.procs");
            fs::write(&procs, "0").map_err(InstanceError::at(procs.display().to_string()))?;
        }
        userns::enter(&self.owner)?;
        setns(&self.network, CloneFlags::CLONE_NEWNET).map_err(InstanceError::at("enter the network namespace"))?;
        unshare(OWN).map_err(InstanceError::at("new namespaces"))?;
        nix::unistd::sethostname(&self.hostname).map_err(InstanceError::at("set the host name"))?;
        root::furnish(&self.hierarchies)?;
        let mut word = Some(word);
        let mut told = report.try_clone().map_err(InstanceError::at("copy a pipe"))?;
        let pid = fork::copy(|| status(word.take().map_or(Ok(()), |word| become_first(word, &self.id)), &mut told))?;
        writeln!(report, "{pid}").map_err(InstanceError::at("tell the process id"))
    }
}

/// Third process, the first of its PID namespace.
fn become_first(mut word: PipeReader, id: &str) -> Result<(), InstanceError> {
    let mut told = Vec::new();
    word.read_to_end(&mut told).map_err(InstanceError::at("wait for the word"))?;
    if told != GO {
        return Err(InstanceError::Start("its starter was interrupted".to_owned()));
    }
    root::pivot()?;
    let log = Path::new(CONSOLE);
    fs::create_dir_all(log.parent().unwrap_or(log)).map_err(InstanceError::at("make /var/log"))?;
    // Opened before anything of the instance's own runs, and whatever an earlier boot left in its place.
    let console = plain::append_at(log).map_err(InstanceError::at(CONSOLE))?;
    let errors = console.try_clone().map_err(InstanceError::at(CONSOLE))?;
    process::leave_nothing().map_err(InstanceError::at("close descriptors"))?;
    let mut program = Command::new(PROGRAM);
    program.args(["instance", "first", id]).env_clear().stdin(Stdio::null()).stdout(console).stderr(errors);
    Err(InstanceError::at(PROGRAM)(program.exec()))
}
