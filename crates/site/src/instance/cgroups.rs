//! An instance's control groups: one that the site holds, with the limits of the instance's type, and below it one that
//! is the instance's own. Inside only that one is seen, so nothing there can change a limit.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use eksile_linux::IdRange;

use super::{InstanceError, Machine, Spec};

const ROOT: &str = "/sys/fs/cgroup";
/// The instance's own, below the one with the limits.
const OWN: &str = "guest";
/// What must be changed to make processes and groups (cgroups(7), "Delegation").
const DELEGATED: [&str; 4] = ["cgroup.procs", "tasks", "cgroup.threads", "cgroup.subtree_control"];
/// Character devices that a container may use (runtime specification, "Default Devices"), and pseudo-terminals.
const DEVICES: [&str; 9] =
    ["c 1:3 rw", "c 1:5 rw", "c 1:7 rw", "c 1:8 rw", "c 1:9 rw", "c 5:0 rw", "c 5:1 rw", "c 5:2 rw", "c 136:* rw"];
const CPU_PERIOD: u64 = 100_000;
/// How long groups of processes that have ended may stay.
const PATIENCE: Duration = Duration::from_secs(3);

/// A mounted hierarchy of control groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hierarchy {
    /// Where it is mounted.
    pub(super) path: PathBuf,
    /// What is mounted there again inside: the file system, and for version 1 its controllers or its name.
    pub(super) kind: &'static str,
    pub(super) data: String,
}

impl Hierarchy {
    /// Version 2 and nothing else.
    pub(super) fn is_only(&self) -> bool {
        self.path == Path::new(ROOT)
    }
}

/// The mounted hierarchies: version 1's controllers and the version 2 one beside them, or version 2.
pub(super) fn hierarchies() -> Result<Vec<Hierarchy>, InstanceError> {
    let text = fs::read_to_string("/proc/self/mountinfo").map_err(InstanceError::at("list the mounts"))?;
    let found = parse(&text);
    if found.is_empty() {
        return Err(InstanceError::at(ROOT)(io::Error::from(ErrorKind::NotFound)));
    }
    Ok(found)
}

/// proc_pid_mountinfo(5).
fn parse(mountinfo: &str) -> Vec<Hierarchy> {
    let mut found: Vec<Hierarchy> = Vec::new();
    for line in mountinfo.lines() {
        let Some((mount, system)) = line.split_once(" - ") else { continue };
        let Some(path) = mount.split(' ').nth(4).map(Path::new).filter(|path| path.starts_with(ROOT)) else { continue };
        let mut system = system.split(' ');
        let (kind, options) = (system.next().unwrap_or_default(), system.nth(1).unwrap_or_default());
        let (kind, data) = match kind {
            "cgroup2" => ("cgroup2", String::new()),
            "cgroup" => ("cgroup", controllers(options)),
            _ => continue,
        };
        if !found.iter().any(|other| other.path == path) {
            found.push(Hierarchy { path: path.to_owned(), kind, data });
        }
    }
    found
}

/// What names a hierarchy of version 1 among its mount options.
fn controllers(options: &str) -> String {
    let other = ["rw", "ro", "xattr", "clone_children", "noprefix", "cpuset_v2_mode"];
    let names: Vec<&str> =
        options.split(',').filter(|option| !other.contains(option) && !option.starts_with("release_agent=")).collect();
    match names.as_slice() {
        [name] if name.starts_with("name=") => format!("none,{name}"),
        names => names.join(","),
    }
}

/// Makes the instance's groups in every hierarchy; answers its own ones. Those of an earlier boot are removed first,
/// with all that it made below: a limit on devices is taken only by a group with none below.
pub(super) fn make(spec: &Spec) -> Result<Vec<PathBuf>, InstanceError> {
    let begun = Instant::now();
    // The kernel lets go of the last process a moment after its end.
    while let Err(error) = remove(&spec.cgroup_parent) {
        if begun.elapsed() > PATIENCE {
            return Err(error);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let mut own = Vec::new();
    for hierarchy in hierarchies()? {
        let mut directory = hierarchy.path.clone();
        let parts = spec.cgroup_parent.split('/').filter(|part| !part.is_empty());
        for part in parts {
            directory = child(&directory, part)?;
        }
        limit(&directory, spec.machine)?;
        let guest = child(&directory, OWN)?;
        delegate(&guest, spec.ids)?;
        own.push(guest);
    }
    Ok(own)
}

/// Removes them; what is not there is no error.
pub(super) fn remove(parent: &str) -> Result<(), InstanceError> {
    for hierarchy in hierarchies()? {
        let directory = hierarchy.path.join(parent.trim_matches('/'));
        remove_tree(&directory).map_err(InstanceError::at(format!("remove {}", directory.display())))?;
    }
    Ok(())
}

fn remove_tree(directory: &Path) -> io::Result<()> {
    let listed = match fs::read_dir(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        listed => listed?,
    };
    for entry in listed {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_tree(&entry.path())?;
        }
    }
    fs::remove_dir(directory)
}

fn child(above: &Path, name: &str) -> Result<PathBuf, InstanceError> {
    let directory = above.join(name);
    match fs::create_dir(&directory) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            return Err(InstanceError::at(directory.display().to_string())(error));
        }
        _ => {}
    }
    // Version 1: a cpuset must be filled before it can hold anything.
    for file in ["cpuset.cpus", "cpuset.mems"] {
        let Ok(value) = fs::read_to_string(above.join(file)) else { continue };
        if fs::read_to_string(directory.join(file)).is_ok_and(|own| own.trim().is_empty()) {
            put(&directory, file, value.trim())?;
        }
    }
    // Version 2: what a group may limit, the one above must hand down.
    if let Ok(offered) = fs::read_to_string(above.join("cgroup.controllers")) {
        let wanted = ["cpu", "cpuset", "io", "memory", "pids"];
        let all: Vec<String> =
            offered.split_whitespace().filter(|name| wanted.contains(name)).map(|name| format!("+{name}")).collect();
        put(above, "cgroup.subtree_control", &all.join(" "))?;
    }
    Ok(directory)
}

/// What is shown is the limit. Each file is there in the hierarchy of its controller only.
fn limit(directory: &Path, machine: Option<Machine>) -> Result<(), InstanceError> {
    let mut limits: Vec<(&str, String)> = vec![("devices.deny", "a".to_owned())];
    limits.extend(DEVICES.iter().map(|device| ("devices.allow", (*device).to_owned())));
    if let Some(machine) = machine {
        let memory = (machine.memory_mib << 20).to_string();
        let quota = u64::from(machine.vcpus) * CPU_PERIOD;
        limits.extend([
            ("memory.limit_in_bytes", memory.clone()),
            ("memory.max", memory),
            ("pids.max", processes(machine).to_string()),
            ("cpu.cfs_period_us", CPU_PERIOD.to_string()),
            ("cpu.cfs_quota_us", quota.to_string()),
            ("cpu.max", format!("{quota} {CPU_PERIOD}")),
        ]);
    }
    for (file, value) in limits {
        if directory.join(file).exists() {
            put(directory, file, &value)?;
        }
    }
    Ok(())
}

/// As many as the kernel would let a machine of that memory have (`threads-max`: an eighth of memory for stacks of
/// 16 KiB), but never so many that this machine has no more for others.
fn processes(machine: Machine) -> u64 {
    let most = fs::read_to_string("/proc/sys/kernel/pid_max").ok().and_then(|text| text.trim().parse::<u64>().ok());
    (machine.memory_mib * 8).min(most.unwrap_or(32_768) / 4)
}

fn delegate(directory: &Path, ids: IdRange) -> Result<(), InstanceError> {
    let own = |path: &Path| {
        std::os::unix::fs::chown(path, Some(ids.base), Some(ids.base))
            .map_err(InstanceError::at(format!("hand over {}", path.display())))
    };
    own(directory)?;
    DELEGATED.iter().map(|file| directory.join(file)).filter(|path| path.exists()).try_for_each(|path| own(&path))
}

fn put(directory: &Path, file: &str, value: &str) -> Result<(), InstanceError> {
    let path = directory.join(file);
    fs::write(&path, value).map_err(InstanceError::at(format!("write {value:?} to {}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hierarchies_are_read_from_the_mounts() {
        let hybrid = "30 1 0:25 / /sys rw - sysfs sysfs rw\n\
            31 30 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n\
            32 31 0:27 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct\n\
            33 31 0:28 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,release_agent=/x,name=systemd\n\
            34 31 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate\n";
        let found: Vec<_> =
            parse(hybrid).into_iter().map(|one| (one.path.display().to_string(), one.kind, one.data)).collect();
        let text = |text: &str| text.to_owned();
        assert_eq!(
            found,
            [
                (text("/sys/fs/cgroup/cpu,cpuacct"), "cgroup", text("cpu,cpuacct")),
                (text("/sys/fs/cgroup/systemd"), "cgroup", text("none,name=systemd")),
                (text("/sys/fs/cgroup/unified"), "cgroup2", String::new()),
            ]
        );
        let only = parse("34 31 0:29 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n");
        assert!(only[0].is_only() && only.len() == 1);
    }

    #[test]
    fn many_processes_but_never_all_of_this_machine() {
        let most: u64 = fs::read_to_string("/proc/sys/kernel/pid_max").unwrap().trim().parse().unwrap();
        let of = |memory_mib| processes(Machine { vcpus: 2, memory_mib });
        assert_eq!(of(256), 2048.min(most / 4));
        assert!(of(1 << 20) <= most / 4);
    }
}
