//! An instance's control groups: one that the site holds, with the limits of the instance's type, and below it one that
//! is the instance's own. Inside only that one is seen, so nothing there can change a limit.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use eksile_linux::{IdRange, cgroup};

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
/// Without limits by these no instance starts: what its type promises to others would be there for it to take.
const REQUIRED: [&str; 3] = ["cpu", "memory", "pids"];
/// Version 2 limits devices by other means than files.
const DEVICES_CONTROLLER: &str = "devices";
/// What an instance may nest, where the kernel can tell it (version 2): more than pods need, less than walks suffer from.
const DEPTH_MAX: u32 = 64;
const DESCENDANTS_MAX: u32 = 16_384;
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

    /// Version 1's freezer, which holds processes so that nobody can end them. It is no instance's to have.
    pub(super) fn freezes(&self) -> bool {
        self.has("freezer")
    }

    fn is_first_version(&self) -> bool {
        self.kind == "cgroup"
    }

    fn has(&self, controller: &str) -> bool {
        if self.is_first_version() {
            return self.data.split(',').any(|name| name == controller);
        }
        // A hierarchy that cannot be read offers nothing.
        let offered = fs::read_to_string(self.path.join("cgroup.controllers")).unwrap_or_default();
        offered.split_whitespace().any(|name| name == controller)
    }
}

/// The controllers that limits need and that this machine's control groups lack.
pub(super) fn missing() -> Result<Vec<&'static str>, InstanceError> {
    let hierarchies = hierarchies()?;
    Ok(lacking(&hierarchies, |controller| hierarchies.iter().any(|one| one.has(controller))))
}

/// Those that are needed and not `there`.
fn lacking(hierarchies: &[Hierarchy], there: impl Fn(&str) -> bool) -> Vec<&'static str> {
    let devices = hierarchies.iter().any(Hierarchy::is_first_version).then_some(DEVICES_CONTROLLER);
    REQUIRED.into_iter().chain(devices).filter(|controller| !there(controller)).collect()
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
    let hierarchies = hierarchies()?;
    let (mut own, mut limited) = (Vec::new(), Vec::new());
    for hierarchy in &hierarchies {
        let mut directory = hierarchy.path.clone();
        let parts = spec.cgroup_parent.split('/').filter(|part| !part.is_empty());
        for part in parts {
            directory = child(&directory, part)?;
        }
        limited.extend(limit(&directory, spec.machine)?);
        let guest = child(&directory, OWN)?;
        if !hierarchy.freezes() {
            delegate(&guest, spec.ids)?;
        }
        own.push(guest);
    }
    let lacking = lacking(&hierarchies, |controller| limited.contains(&controller));
    if lacking.is_empty() {
        return Ok(own);
    }
    let why =
        format!("its limits cannot be set: control groups lack {} (`eksile doctor` tells more)", lacking.join(", "));
    Err(InstanceError::Start(why))
}

/// Removes them; what is not there is no error.
pub(super) fn remove(parent: &str) -> Result<(), InstanceError> {
    each(parent, "remove", cgroup::remove)
}

/// Lets what is frozen in them go on, so that it can be ended.
pub(super) fn thaw(parent: &str) -> Result<(), InstanceError> {
    each(parent, "thaw", cgroup::thaw)
}

/// Ends every process in them.
pub(super) fn kill(parent: &str) -> Result<(), InstanceError> {
    thaw(parent)?;
    each(parent, "end the processes of", |directory| {
        for pid in cgroup::processes(directory)? {
            // One that has ended meanwhile is what is wanted.
            let _ended = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
        }
        Ok(())
    })
}

/// Does something to an instance's group of each hierarchy; one that fails keeps none of the others from it.
fn each(parent: &str, what: &str, act: impl Fn(&Path) -> io::Result<()>) -> Result<(), InstanceError> {
    let mut outcome = Ok(());
    for hierarchy in hierarchies()? {
        let directory = hierarchy.path.join(parent.trim_matches('/'));
        let done = act(&directory).map_err(InstanceError::at(format!("{what} {}", directory.display())));
        outcome = outcome.and(done);
    }
    outcome
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

/// What is shown is the limit. Each file is there in the hierarchy of its controller only; answers the controllers that
/// limit now.
fn limit(directory: &Path, machine: Machine) -> Result<Vec<&'static str>, InstanceError> {
    let memory = (machine.memory_mib << 20).to_string();
    let quota = u64::from(machine.vcpus) * CPU_PERIOD;
    let mut limits: Vec<(&'static str, &str, String)> = vec![("devices", "devices.deny", "a".to_owned())];
    limits.extend(DEVICES.iter().map(|device| ("devices", "devices.allow", (*device).to_owned())));
    limits.extend([
        ("memory", "memory.limit_in_bytes", memory.clone()),
        ("memory", "memory.max", memory),
        ("pids", "pids.max", processes(machine).to_string()),
        ("", "cpu.cfs_period_us", CPU_PERIOD.to_string()),
        ("cpu", "cpu.cfs_quota_us", quota.to_string()),
        ("cpu", "cpu.max", format!("{quota} {CPU_PERIOD}")),
        ("", "cgroup.max.depth", DEPTH_MAX.to_string()),
        ("", "cgroup.max.descendants", DESCENDANTS_MAX.to_string()),
    ]);
    let mut limited = Vec::new();
    for (controller, file, value) in limits {
        if directory.join(file).exists() {
            put(directory, file, &value)?;
            limited.push(controller);
        }
    }
    Ok(limited)
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
    fn a_controller_that_is_not_there_is_missed() {
        let first = |data: &str| Hierarchy { path: PathBuf::from("/nowhere"), kind: "cgroup", data: data.to_owned() };
        let of = |hierarchies: &[Hierarchy]| {
            lacking(hierarchies, |controller| hierarchies.iter().any(|one| one.has(controller)))
        };
        let all = ["cpu,cpuacct", "memory", "pids", "devices", "freezer", "none,name=systemd"].map(first);
        assert_eq!(of(&all), [""; 0]);
        assert!(all[4].freezes() && !all[0].freezes());
        for (without, missed) in [(0, "cpu"), (1, "memory"), (2, "pids"), (3, "devices")] {
            let some: Vec<_> = (0..all.len()).filter(|at| *at != without).map(|at| all[at].clone()).collect();
            assert_eq!(of(&some), [missed]);
        }
        let folder = tempfile::tempdir().unwrap();
        let second = Hierarchy { path: folder.path().to_owned(), kind: "cgroup2", data: String::new() };
        assert_eq!(of(std::slice::from_ref(&second)), ["cpu", "memory", "pids"]);
        fs::write(folder.path().join("cgroup.controllers"), "cpuset cpu io memory hugetlb pids\n").unwrap();
        assert_eq!(of(&[second]), [""; 0]);
    }

    /// A folder stands for a hierarchy: what has no file is not limited, and that is told.
    #[test]
    fn what_cannot_be_limited_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let machine = Machine { vcpus: 2, memory_mib: 256 };
        assert_eq!(limit(folder.path(), machine).unwrap(), [""; 0]);
        for file in ["memory.max", "cpu.cfs_period_us", "cgroup.max.depth"] {
            fs::write(folder.path().join(file), "").unwrap();
        }
        assert_eq!(limit(folder.path(), machine).unwrap(), ["memory", "", ""]);
        assert_eq!(fs::read_to_string(folder.path().join("memory.max")).unwrap(), (256_u64 << 20).to_string());
        assert_eq!(fs::read_to_string(folder.path().join("cgroup.max.depth")).unwrap(), "64");
    }

    #[test]
    fn many_processes_but_never_all_of_this_machine() {
        let most: u64 = fs::read_to_string("/proc/sys/kernel/pid_max").unwrap().trim().parse().unwrap();
        let of = |memory_mib| processes(Machine { vcpus: 2, memory_mib });
        assert_eq!(of(256), 2048.min(most / 4));
        assert!(of(1 << 20) <= most / 4);
    }
}
