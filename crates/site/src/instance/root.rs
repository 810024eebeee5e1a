//! What an instance sees: its mounts.
//!
//! Two halves. [`stage`] runs with this machine's rights and binds what the instance may see of this machine. What it
//! made is then copied into the mount namespace of the instance's user namespace, and the kernel locks it there: nothing
//! read-only becomes writable, nothing bound is taken away (mount_namespaces(7), "Restrictions on mount namespaces").
//! [`furnish`] runs with the instance's rights and mounts what is the instance's own.
//!
//! The first half never follows a path that the instance could have changed: see [`crate::beneath`].

use std::fs;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};

use super::cgroups::Hierarchy;
use super::{InstanceError, PROGRAM, Spec, etc, files};
use crate::beneath;

/// Where an instance's root is put together. Everyone may pass through it; what is mounted there is seen in the mount
/// namespace of one instance only.
const STAGE: &str = "/run/eksile/stage";
/// What of the host may be seen, read-only.
const SHARED: [&str; 7] = ["usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32"];
/// Of the host's devices, those that a container has.
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];
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
/// Those that stay over a reboot.
const KEPT: [&str; 4] = ["etc", "var", "opt", "root"];
const SAFE: MsFlags = MsFlags::MS_NOSUID.union(MsFlags::MS_NODEV);

fn attach(
    source: Option<&Path>,
    target: &Path,
    kind: Option<&str>,
    flags: MsFlags,
    data: Option<&str>,
) -> Result<(), InstanceError> {
    mount(source, target, kind, flags, data).map_err(InstanceError::at(format!("mount {}", target.display())))
}

/// Binds with more flags than the source's mount has; the kernel sets them only the second time (mount(2)).
fn bind(source: &Path, target: &Path, flags: MsFlags) -> Result<(), InstanceError> {
    attach(Some(source), target, None, MsFlags::MS_BIND, None)?;
    attach(None, target, None, MsFlags::MS_BIND | MsFlags::MS_REMOUNT | flags, None)
}

fn fresh(kind: &str, target: &Path, flags: MsFlags, data: Option<&str>) -> Result<(), InstanceError> {
    attach(Some(Path::new(kind)), target, Some(kind), flags, data)
}

/// A file or directory of ours, for the instance's root.
struct Owner(u32);

impl Owner {
    fn directory(&self, path: &Path, mode: u32) -> Result<(), InstanceError> {
        let made = fs::create_dir_all(path).and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(mode)));
        made.and_then(|()| lchown(path, Some(self.0), Some(self.0)))
            .map_err(InstanceError::at(path.display().to_string()))
    }

    fn tmpfs(&self, target: &Path, mode: &str) -> Result<(), InstanceError> {
        fresh("tmpfs", target, SAFE, Some(&format!("mode={mode},uid={0},gid={0}", self.0)))
    }

    /// All below a directory that only we have written in.
    fn tree(&self, path: &Path) -> io::Result<()> {
        lchown(path, Some(self.0), Some(self.0))?;
        if fs::symlink_metadata(path)?.is_dir() {
            for entry in fs::read_dir(path)? {
                self.tree(&entry?.path())?;
            }
        }
        Ok(())
    }
}

/// First half, in a mount namespace of this process's own: puts the root together, and what is handed over into it.
pub(super) fn stage(spec: &Spec) -> Result<(), InstanceError> {
    attach(None, Path::new("/"), None, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None)?;
    let (root, owner) = (Path::new(STAGE), Owner(spec.ids.base));
    fs::create_dir_all(root).map_err(InstanceError::at(STAGE))?;
    owner.tmpfs(root, "755")?;
    for (name, mode) in DIRECTORIES {
        owner.directory(&root.join(name), mode)?;
    }
    share_host(root)?;
    owner.tmpfs(&root.join("tmp"), "1777")?;
    owner.tmpfs(&root.join("run"), "755")?;
    share_devices(root)?;
    mount_disk(spec, root, &owner)?;
    install_program(spec, root)?;
    hand_over(spec, &root.join("run"), &owner)
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
                fs::create_dir(&target).map_err(InstanceError::at(target.display().to_string()))?;
                bind(&host, &target, SAFE | MsFlags::MS_RDONLY)?;
            }
            // Not every distribution has all of them.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(InstanceError::at(host.display().to_string())(error)),
        }
    }
    Ok(())
}

/// A user namespace makes no devices; the host's are bound, one by one.
fn share_devices(root: &Path) -> Result<(), InstanceError> {
    for name in DEVICES {
        let target = root.join("dev").join(name);
        fs::write(&target, "").map_err(InstanceError::at(target.display().to_string()))?;
        attach(Some(&Path::new("/dev").join(name)), &target, None, MsFlags::MS_BIND, None)?;
    }
    Ok(())
}

/// The disk's own directories are ours, and nothing in the instance can replace them; what is in them is the instance's.
fn mount_disk(spec: &Spec, root: &Path, owner: &Owner) -> Result<(), InstanceError> {
    use std::os::unix::fs::MetadataExt;
    for name in KEPT {
        let kept = spec.dir.join("disk").join(name);
        if let Ok(there) = fs::symlink_metadata(&kept)
            && there.uid() != spec.ids.base
        {
            let why = format!(
                "{} belongs to user {}, not to the instance's root ({}): an earlier version made it; terminate the \
                 instance and launch another",
                kept.display(),
                there.uid(),
                spec.ids.base
            );
            return Err(InstanceError::Start(why));
        }
        owner.directory(&kept, if name == "root" { 0o700 } else { 0o755 })?;
        bind(&kept, &root.join(name), MsFlags::MS_NODEV)?;
    }
    Ok(())
}

/// The product's own binary, and the programs of a real instance that it stands for: on a file system of their own,
/// read-only, which the instance's disk cannot hide from us by a link.
fn install_program(spec: &Spec, root: &Path) -> Result<(), InstanceError> {
    let folder = Path::new(PROGRAM).parent().unwrap_or(Path::new("/"));
    let open = || {
        let (disk, inside) = (root.join("opt"), folder.strip_prefix("/opt").unwrap_or(folder));
        beneath::directory(&disk, inside, spec.ids.base)
            .map_err(InstanceError::at(format!("make {}", folder.display())))
    };
    let by_descriptor = |fd: &dyn AsRawFd| PathBuf::from(format!("/proc/self/fd/{}", fd.as_raw_fd()));
    let covered = open()?;
    fresh("tmpfs", &by_descriptor(&covered), SAFE, Some("mode=755"))?;
    let held = open()?;
    let directory = by_descriptor(&held);
    let program = directory.join("eksile");
    let at = |path: &Path| InstanceError::at(path.display().to_string());
    fs::write(&program, "").map_err(at(&program))?;
    executable_for_all(&spec.program)?;
    bind(&spec.program, &program, SAFE | MsFlags::MS_RDONLY)?;
    for name in ["systemctl", "journalctl"] {
        let script = directory.join(name);
        let text = format!("#!/bin/sh\nexec {PROGRAM} instance {name} \"$@\"\n");
        fs::write(&script, text).map_err(at(&script))?;
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).map_err(at(&script))?;
        // Where the host has the real one, a script that names it by its full path must still find ours.
        let real = root.join("usr/bin").join(name);
        if fs::symlink_metadata(&real).is_ok_and(|there| there.is_file()) {
            bind(&script, &real, SAFE | MsFlags::MS_RDONLY)?;
        }
    }
    attach(None, &directory, None, MsFlags::MS_BIND | MsFlags::MS_REMOUNT | SAFE | MsFlags::MS_RDONLY, None)
}

/// Inside, the program belongs to nobody that is known there.
fn executable_for_all(program: &Path) -> Result<(), InstanceError> {
    let mode = fs::metadata(program).map_err(InstanceError::at(program.display().to_string()))?.permissions().mode();
    if mode & 0o5 == 0o5 {
        return Ok(());
    }
    let why = format!("{} must be readable and executable for all (chmod 755): instances run it", program.display());
    Err(InstanceError::Start(why))
}

/// What the first process needs from outside, on a tmpfs that ends with the boot.
fn hand_over(spec: &Spec, run: &Path, owner: &Owner) -> Result<(), InstanceError> {
    let handed = run.join("eksile");
    owner.directory(&handed, 0o700)?;
    fs::copy(spec.dir.join(files::USER_DATA), handed.join(files::USER_DATA))
        .map_err(InstanceError::at(files::USER_DATA))?;
    // The kernel shows the host's processors and memory to everyone; the node believes this instead.
    fs::write(handed.join(files::MACHINE), serde_json::to_vec(&spec.machine)?)
        .map_err(InstanceError::at(files::MACHINE))?;
    etc::stage(spec, &handed)?;
    owner.tree(&handed).map_err(InstanceError::at("hand over"))
}

/// Second half, as root of the instance's namespaces but for that of processes: what belongs to those namespaces.
pub(super) fn furnish(hierarchies: &[Hierarchy]) -> Result<(), InstanceError> {
    let stage = Path::new(STAGE);
    // A mount that is locked to what it lies on cannot become a root; a copy of all of it can.
    attach(Some(stage), stage, None, MsFlags::MS_BIND | MsFlags::MS_REC, None)?;
    std::env::set_current_dir(stage).map_err(InstanceError::at("enter the root"))?;
    let here = Path::new("");
    mount_sys(here, hierarchies)?;
    mount_dev(&here.join("dev"))
}

/// Of the control groups, only the instance's own are seen, where a machine of its own would have them. What in `/sys`
/// is not of the instance's network belongs to this machine, and nobody in the instance can write it.
fn mount_sys(root: &Path, hierarchies: &[Hierarchy]) -> Result<(), InstanceError> {
    let flags = SAFE | MsFlags::MS_NOEXEC;
    fresh("sysfs", &root.join("sys"), flags, None)?;
    let groups = root.join("sys/fs/cgroup");
    let hierarchy = |one: &Hierarchy, target: &Path| {
        let data = (!one.data.is_empty()).then_some(one.data.as_str());
        attach(Some(Path::new("cgroup")), target, Some(one.kind), flags, data)
    };
    if let [only] = hierarchies
        && only.is_only()
    {
        return hierarchy(only, &groups);
    }
    fresh("tmpfs", &groups, flags, Some("mode=755"))?;
    for one in hierarchies {
        let target = groups.join(one.path.file_name().unwrap_or_default());
        fs::create_dir(&target).map_err(InstanceError::at(target.display().to_string()))?;
        hierarchy(one, &target)?;
    }
    Ok(())
}

fn mount_dev(dev: &Path) -> Result<(), InstanceError> {
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
        fs::create_dir(dev.join(name)).map_err(InstanceError::at(name))?;
    }
    let safe = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
    fresh("devpts", &dev.join("pts"), safe, Some("newinstance,ptmxmode=0666,mode=0620,gid=5"))?;
    fresh("tmpfs", &dev.join("shm"), safe | MsFlags::MS_NODEV, Some("mode=1777"))?;
    fresh("mqueue", &dev.join("mqueue"), safe | MsFlags::MS_NODEV, None)
}

/// Last, as the first process: `/proc` shows the processes of whoever mounts it. Then the root becomes `/`, and there is
/// no way left to what is outside.
pub(super) fn pivot() -> Result<(), InstanceError> {
    fresh("proc", Path::new("proc"), SAFE | MsFlags::MS_NOEXEC, None)?;
    // The old root comes to lie on top of the new one, and is taken away from there (pivot_root(2)).
    nix::unistd::pivot_root(".", ".").map_err(InstanceError::at("pivot_root"))?;
    umount2(".", MntFlags::MNT_DETACH).map_err(InstanceError::at("let go of the host's root"))?;
    std::env::set_current_dir("/").map_err(InstanceError::at("enter the root"))?;
    // Several hierarchies or one, the first process must not sit in a group of version 2 that is to have others below.
    let only = Path::new("/sys/fs/cgroup/cgroup.subtree_control");
    if only.exists() {
        let own = Path::new("/sys/fs/cgroup/init.scope");
        fs::create_dir_all(own)
            .and_then(|()| fs::write(own.join("cgroup.procs"), "0"))
            .map_err(InstanceError::at("move into a group of its own"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instance::Machine;
    use eksile_linux::IdRange;

    #[test]
    fn the_size_of_the_type_is_handed_over() {
        let (outside, inside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(outside.path().join(files::USER_DATA), "").unwrap();
        fs::write(outside.path().join("ca"), "").unwrap();
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
            trusted_ca: outside.path().join("ca"),
            machine: Machine { vcpus: 2, memory_mib: 4096 },
            ids: IdRange { base: nix::unistd::getuid().as_raw() },
        };
        hand_over(&spec, inside.path(), &Owner(spec.ids.base)).unwrap();
        let text = fs::read(inside.path().join("eksile").join(files::MACHINE)).unwrap();
        assert_eq!(serde_json::from_slice::<Machine>(&text).unwrap(), spec.machine);
    }
}
