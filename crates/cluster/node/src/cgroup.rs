//! The container's control group, read and emptied: on version 1 (one directory per controller) and on version 2.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const ROOT: &str = "/sys/fs/cgroup";

/// Whether the version 2 hierarchy is the only one.
#[must_use]
pub fn unified() -> bool {
    Path::new(ROOT).join("cgroup.controllers").exists()
}

/// The directory of `cgroup` (an absolute path within the hierarchy) for a controller.
#[must_use]
pub fn directory(controller: &str, cgroup: &Path) -> PathBuf {
    let base = if unified() { PathBuf::from(ROOT) } else { Path::new(ROOT).join(controller) };
    base.join(cgroup.strip_prefix("/").unwrap_or(cgroup))
}

/// Where groups are: one place on version 2, one for each controller on version 1.
fn hierarchies() -> Vec<PathBuf> {
    let root = PathBuf::from(ROOT);
    if unified() { vec![root] } else { children(&root) }
}

/// How often the kernel killed a process of this group, or of one below it, for memory; 0 where it cannot be known.
#[must_use]
pub fn oom_kills(cgroup: &Path) -> u64 {
    let directory = directory("memory", cgroup);
    if unified() {
        // This file counts what happened below, too.
        return counted(&directory.join("memory.events"));
    }
    oom_kills_below(&directory)
}

fn oom_kills_below(directory: &Path) -> u64 {
    let below: u64 = children(directory).iter().map(|child| oom_kills_below(child)).sum();
    counted(&directory.join("memory.oom_control")).saturating_add(below)
}

fn counted(file: &Path) -> u64 {
    let text = fs::read_to_string(file).unwrap_or_default();
    let counted = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
    counted.and_then(|count| count.trim().parse().ok()).unwrap_or(0)
}

/// The groups directly below one; none of one that is gone.
fn children(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path()).collect()
}

/// Kills every process that is in the group, or in one below it, in any hierarchy, until none is left (bounded: a
/// second). Frozen ones are thawed.
pub fn kill_all(cgroup: &Path) {
    let relative = cgroup.strip_prefix("/").unwrap_or(cgroup);
    let groups: Vec<PathBuf> = hierarchies().iter().map(|hierarchy| hierarchy.join(relative)).collect();
    for _ in 0..100 {
        let mut pids = Vec::new();
        for group in &groups {
            processes(group, &mut pids);
        }
        pids.sort_unstable();
        pids.dedup();
        if pids.is_empty() {
            return;
        }
        for pid in pids {
            // One that is gone already is what is wanted.
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            thaw(pid);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Version 1 keeps a frozen process from dying (kernel documentation, "Cgroup Freezer"), wherever it was frozen: its own
/// group or one above.
fn thaw(pid: i32) {
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    let own = groups.lines().find_map(|line| line.split_once(":freezer:").map(|(_, group)| group));
    let Some(own) = own.filter(|_| !unified()) else { return };
    for group in Path::new(own).ancestors() {
        let state = directory("freezer", group).join("freezer.state");
        if fs::read_to_string(&state).is_ok_and(|state| state.trim() != "THAWED") {
            // One that is gone is thawed; another's refusal leaves the process as it is, and the caller tries again.
            let _ = fs::write(&state, "THAWED");
        }
    }
}

fn processes(directory: &Path, pids: &mut Vec<i32>) {
    // A group that cannot be read is gone, with its processes.
    let text = fs::read_to_string(directory.join("cgroup.procs")).unwrap_or_default();
    pids.extend(text.lines().filter_map(|line| line.parse::<i32>().ok()).filter(|pid| *pid > 1));
    for child in children(directory) {
        processes(&child, pids);
    }
}

/// Removes the group's directory in every hierarchy, with those below it; a busy one is tried again for a second,
/// because the kernel lets go of dead processes late.
///
/// # Errors
/// The last refusal, when something stays.
pub fn remove(cgroup: &Path) -> io::Result<()> {
    let relative = cgroup.strip_prefix("/").unwrap_or(cgroup);
    let mut result = Ok(());
    for hierarchy in hierarchies() {
        if let Err(error) = remove_tree(&hierarchy.join(relative)) {
            result = Err(error);
        }
    }
    result
}

fn remove_tree(directory: &Path) -> io::Result<()> {
    // What goes away while this looks needs no removing; what stays makes the removal below fail.
    for child in children(directory) {
        remove_tree(&child)?;
    }
    for _ in 0..100 {
        match fs::remove_dir(directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                std::thread::sleep(Duration::from_millis(10));
            }
            other => return other,
        }
    }
    Err(io::ErrorKind::ResourceBusy.into())
}
