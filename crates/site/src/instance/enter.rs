//! From a process of the site to the first process of an instance, in two steps: a PID namespace has its first process
//! in the *child* of whoever asked for it.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use nix::sched::{CloneFlags, setns, unshare};

use super::{InstanceError, Spec, files, first, root};

const GO: &[u8] = b"go";

/// First step, still outside: makes the PID namespace, starts its first process, writes its pid file, lets it go on.
pub(super) fn enter(spec: &Spec) -> Result<(), InstanceError> {
    make_cgroups(spec)?;
    unshare(CloneFlags::CLONE_NEWPID).map_err(InstanceError::at("new PID namespace"))?;
    let console = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(spec.dir.join(files::CONSOLE))
        .map_err(InstanceError::at("open the console"))?;
    let errors = console.try_clone().map_err(InstanceError::at("open the console"))?;
    let mut child = Command::new(&spec.program)
        .args(["instance", "first"])
        .arg(spec.dir.join(files::SPEC))
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(console)
        .stderr(errors)
        .process_group(0)
        .spawn()
        .map_err(InstanceError::at("start the first process"))?;
    // The pid file comes before the word to go on: whoever reads none finds no instance either.
    let written = write_pid_file(spec, child.id());
    let told = child.stdin.take().map_or(Ok(()), |mut stdin| match &written {
        Ok(()) => stdin.write_all(GO),
        Err(_) => Ok(()),
    });
    written?;
    told.map_err(InstanceError::at("tell the first process"))
}

fn write_pid_file(spec: &Spec, pid: u32) -> Result<(), InstanceError> {
    let stat = fs::read(format!("/proc/{pid}/stat")).map_err(InstanceError::at("read the first process's start"))?;
    let new = spec.pid_file.with_extension("new");
    fs::write(&new, stat)
        .and_then(|()| fs::rename(&new, &spec.pid_file))
        .map_err(InstanceError::at(spec.pid_file.display().to_string()))
}

/// The instance's control group in each hierarchy; a cpuset must be filled before it can hold anything.
fn make_cgroups(spec: &Spec) -> Result<(), InstanceError> {
    for hierarchy in root::hierarchies()? {
        let mut directory = hierarchy.clone();
        for part in spec.cgroup_parent.split('/').filter(|part| !part.is_empty()) {
            let above = directory.clone();
            directory.push(part);
            match fs::create_dir(&directory) {
                Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                    return Err(InstanceError::at(directory.display().to_string())(error));
                }
                _ => {}
            }
            for file in ["cpuset.cpus", "cpuset.mems"] {
                let Ok(value) = fs::read_to_string(above.join(file)) else { continue };
                if fs::read_to_string(directory.join(file)).is_ok_and(|own| own.trim().is_empty()) {
                    fs::write(directory.join(file), value).map_err(InstanceError::at(file))?;
                }
            }
        }
    }
    Ok(())
}

/// Second step, the first process: enters its namespaces and its root, then does its work until told to stop.
pub(super) fn become_first(spec: &Spec) -> Result<(), InstanceError> {
    let mut word = Vec::new();
    std::io::stdin().read_to_end(&mut word).map_err(InstanceError::at("wait for the word"))?;
    if word != GO {
        return Err(InstanceError::Start("its starter was interrupted".to_owned()));
    }
    // Fails only for the leader of a session, which has what is wanted.
    let _ = nix::unistd::setsid();
    for hierarchy in root::hierarchies()? {
        let procs = root::cgroup(&hierarchy, spec).join("cgroup.procs");
        fs::write(&procs, "0").map_err(InstanceError::at(procs.display().to_string()))?;
    }
    let netns = fs::File::open(&spec.netns).map_err(InstanceError::at(spec.netns.display().to_string()))?;
    setns(netns, CloneFlags::CLONE_NEWNET).map_err(InstanceError::at("enter the network namespace"))?;
    let own =
        CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWUTS | CloneFlags::CLONE_NEWIPC | CloneFlags::CLONE_NEWCGROUP;
    unshare(own).map_err(InstanceError::at("new namespaces"))?;
    nix::unistd::sethostname(&spec.hostname).map_err(InstanceError::at("set the host name"))?;
    root::build(spec)?;
    first::run(spec)
}
