//! What an instance sees: its mounts.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};

use super::{InstanceError, Spec, etc, files};

const CGROUPS: &str = "/sys/fs/cgroup";
/// What of the host may be seen, read-only.
const SHARED: [&str; 7] = ["usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32"];
/// Writable directories that exist, with their modes.
const DIRECTORIES: [(&str, u32); 12] = [
    ("etc", 0o755),
    ("var", 0o755),
    ("tmp", 0o1777),
    ("run", 0o755),
    ("root", 0o700),
    ("home", 0o755),
    ("opt", 0o755),
    ("mnt", 0o755),
    ("srv", 0o755),
    ("proc", 0o555),
    ("sys", 0o555),
    ("dev", 0o755),
];

/// The mounted hierarchies of control groups: version 1's controllers and the version 2 one beside them, or version 2.
pub(super) fn hierarchies() -> Result<Vec<PathBuf>, InstanceError> {
    if Path::new(CGROUPS).join("cgroup.controllers").exists() {
        return Ok(vec![PathBuf::from(CGROUPS)]);
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(CGROUPS).map_err(InstanceError::at(CGROUPS))? {
        let entry = entry.map_err(InstanceError::at(CGROUPS))?;
        // `cpu -> cpu,cpuacct` and its like are the same hierarchy again.
        let own = entry.file_type().map_err(InstanceError::at(CGROUPS))?.is_dir();
        if own && entry.path().join("cgroup.procs").exists() {
            found.push(entry.path());
        }
    }
    Ok(found)
}

/// The instance's own control group in a hierarchy.
pub(super) fn cgroup(hierarchy: &Path, spec: &Spec) -> PathBuf {
    hierarchy.join(spec.cgroup_parent.trim_matches('/'))
}

fn attach(
    source: Option<&Path>,
    target: &Path,
    kind: Option<&str>,
    flags: MsFlags,
    data: Option<&str>,
) -> Result<(), InstanceError> {
    mount(source, target, kind, flags, data).map_err(InstanceError::at(format!("mount {}", target.display())))
}

fn bind(source: &Path, target: &Path, read_only: bool) -> Result<(), InstanceError> {
    attach(Some(source), target, None, MsFlags::MS_BIND, None)?;
    if read_only {
        attach(None, target, None, MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY, None)?;
    }
    Ok(())
}

fn fresh(kind: &str, target: &Path, flags: MsFlags, data: Option<&str>) -> Result<(), InstanceError> {
    attach(Some(Path::new(kind)), target, Some(kind), flags, data)
}

fn make(path: &Path, mode: u32) -> Result<(), InstanceError> {
    let made = fs::create_dir_all(path).and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(mode)));
    made.map_err(InstanceError::at(path.display().to_string()))
}

/// Builds the instance's root and makes it `/`.
pub(super) fn build(spec: &Spec) -> Result<(), InstanceError> {
    attach(None, Path::new("/"), None, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None)?;
    let root = spec.dir.join("root");
    make(&root, 0o755)?;
    fresh("tmpfs", &root, MsFlags::empty(), Some("mode=755"))?;
    for (name, mode) in DIRECTORIES {
        make(&root.join(name), mode)?;
    }
    share_host(&root)?;
    for (name, mode) in [("etc", 0o755), ("var", 0o755), ("opt", 0o755), ("root", 0o700)] {
        let kept = spec.dir.join("disk").join(name);
        make(&kept, mode)?;
        bind(&kept, &root.join(name), false)?;
    }
    fresh("tmpfs", &root.join("tmp"), MsFlags::MS_NOSUID | MsFlags::MS_NODEV, Some("mode=1777"))?;
    fresh("tmpfs", &root.join("run"), MsFlags::MS_NOSUID | MsFlags::MS_NODEV, Some("mode=755"))?;
    etc::write(spec, &root)?;
    install_program(spec, &root)?;
    mount_proc(&root)?;
    mount_sys(spec, &root)?;
    mount_dev(&root)?;
    hand_over(spec, &root)?;
    pivot(&root)
}

/// Directories are bound, links (as of a merged `/usr`) are copied.
fn share_host(root: &Path) -> Result<(), InstanceError> {
    for name in SHARED {
        let host = Path::new("/").join(name);
        let target = root.join(name);
        match fs::symlink_metadata(&host) {
            Ok(meta) if meta.is_symlink() => {
                let to = fs::read_link(&host).map_err(InstanceError::at(host.display().to_string()))?;
                symlink(to, &target).map_err(InstanceError::at(target.display().to_string()))?;
            }
            Ok(_) => {
                make(&target, 0o755)?;
                bind(&host, &target, true)?;
            }
            // Not every distribution has all of them.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(InstanceError::at(host.display().to_string())(error)),
        }
    }
    Ok(())
}

/// The product's own binary, and the programs of a real instance that it stands for.
fn install_program(spec: &Spec, root: &Path) -> Result<(), InstanceError> {
    let directory = root.join("opt/eksile/bin");
    make(&directory, 0o755)?;
    let at = |path: &Path| InstanceError::at(path.display().to_string());
    let program = directory.join("eksile");
    fs::write(&program, "").map_err(at(&program))?;
    bind(&spec.program, &program, true)?;
    for name in ["systemctl", "journalctl"] {
        let script = directory.join(name);
        let text = format!("#!/bin/sh\nexec /opt/eksile/bin/eksile instance {name} \"$@\"\n");
        fs::write(&script, text).map_err(at(&script))?;
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).map_err(at(&script))?;
        // Where the host has the real one, a script that names it by its full path must still find ours.
        let real = root.join("usr/bin").join(name);
        if real.is_file() {
            bind(&script, &real, true)?;
        }
    }
    Ok(())
}

/// Kernel settings that are not of the network belong to the host: read-only.
fn mount_proc(root: &Path) -> Result<(), InstanceError> {
    let proc = root.join("proc");
    fresh("proc", &proc, MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC, None)?;
    for name in ["sys", "sysrq-trigger", "irq", "bus"] {
        let path = proc.join(name);
        if path.exists() {
            bind(&path, &path, true)?;
        }
    }
    let net = proc.join("sys/net");
    bind(&net, &net, false)?;
    attach(None, &net, None, MsFlags::MS_BIND | MsFlags::MS_REMOUNT, None)
}

/// Of the control groups, only the instance's own are seen, where a machine of its own would have them.
fn mount_sys(spec: &Spec, root: &Path) -> Result<(), InstanceError> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    fresh("sysfs", &root.join("sys"), flags | MsFlags::MS_RDONLY, None)?;
    let groups = root.join("sys/fs/cgroup");
    let hierarchies = hierarchies()?;
    if let [only] = hierarchies.as_slice()
        && only == Path::new(CGROUPS)
    {
        return bind(&cgroup(only, spec), &groups, false);
    }
    fresh("tmpfs", &groups, flags, Some("mode=755"))?;
    for hierarchy in hierarchies {
        let target = groups.join(hierarchy.file_name().unwrap_or_default());
        make(&target, 0o755)?;
        bind(&cgroup(&hierarchy, spec), &target, false)?;
    }
    Ok(())
}

fn mount_dev(root: &Path) -> Result<(), InstanceError> {
    let dev = root.join("dev");
    fresh("tmpfs", &dev, MsFlags::MS_NOSUID, Some("mode=755"))?;
    let nodes = [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)];
    for (name, major, minor) in nodes {
        let path = dev.join(name);
        let mode = Mode::from_bits_truncate(0o666);
        mknod(&path, SFlag::S_IFCHR, mode, makedev(major, minor))
            .map_err(InstanceError::at(path.display().to_string()))?;
        let all = fs::set_permissions(&path, fs::Permissions::from_mode(0o666));
        all.map_err(InstanceError::at(path.display().to_string()))?;
    }
    let links = [
        ("ptmx", "pts/ptmx"),
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
    ];
    for (name, to) in links {
        symlink(to, dev.join(name)).map_err(InstanceError::at(name))?;
    }
    for name in ["pts", "shm", "mqueue"] {
        make(&dev.join(name), 0o755)?;
    }
    let safe = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
    fresh("devpts", &dev.join("pts"), safe, Some("newinstance,ptmxmode=0666,mode=0620,gid=5"))?;
    fresh("tmpfs", &dev.join("shm"), safe | MsFlags::MS_NODEV, Some("mode=1777"))?;
    fresh("mqueue", &dev.join("mqueue"), safe | MsFlags::MS_NODEV, None)
}

/// What the first process needs from outside, on a tmpfs that ends with the boot.
fn hand_over(spec: &Spec, root: &Path) -> Result<(), InstanceError> {
    let run = root.join("run/eksile");
    make(&run, 0o700)?;
    let copy = |name: &str| fs::copy(spec.dir.join(name), run.join(name)).map_err(InstanceError::at(name));
    copy(files::USER_DATA)?;
    // The kernel shows the host's processors and memory to everyone; the node believes this instead.
    match &spec.machine {
        Some(machine) => {
            fs::write(run.join(files::MACHINE), serde_json::to_vec(machine)?).map_err(InstanceError::at(files::MACHINE))
        }
        None => Ok(()),
    }
}

fn pivot(root: &Path) -> Result<(), InstanceError> {
    std::env::set_current_dir(root).map_err(InstanceError::at("enter the root"))?;
    // The old root comes to lie on top of the new one, and is taken away from there (pivot_root(2)).
    nix::unistd::pivot_root(".", ".").map_err(InstanceError::at("pivot_root"))?;
    umount2(".", MntFlags::MNT_DETACH).map_err(InstanceError::at("let go of the host's root"))?;
    std::env::set_current_dir("/").map_err(InstanceError::at("enter the root"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instance::Machine;

    #[test]
    fn the_size_of_the_type_is_handed_over() {
        let (outside, inside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(outside.path().join(files::USER_DATA), "").unwrap();
        fs::create_dir(inside.path().join("run")).unwrap();
        let spec = Spec {
            id: "i-1".to_owned(),
            dir: outside.path().to_owned(),
            netns: PathBuf::new(),
            pid_file: PathBuf::new(),
            hostname: String::new(),
            region: String::new(),
            resolver: None,
            user_data: None,
            cgroup_parent: String::new(),
            program: PathBuf::new(),
            trusted_ca: PathBuf::new(),
            machine: Some(Machine { vcpus: 2, memory_mib: 4096 }),
        };
        hand_over(&spec, inside.path()).unwrap();
        let text = fs::read(inside.path().join("run/eksile").join(files::MACHINE)).unwrap();
        assert_eq!(serde_json::from_slice::<Machine>(&text).unwrap(), spec.machine.unwrap());
    }
}
