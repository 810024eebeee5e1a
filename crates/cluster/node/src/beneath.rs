//! Paths that containers can change, resolved by the kernel beneath a root and used by descriptor: what was looked at is
//! what is used, however links and directories are exchanged meanwhile.

use std::ffi::OsStr;
use std::fs::{File, Permissions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, fstat, mkdirat, openat, openat2};
use rustix::io::Errno;
use rustix::mount::{MoveMountFlags, OpenTreeFlags, move_mount, open_tree};

const PATH: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);
/// How often the kernel is asked again when something was renamed while it looked.
const AGAIN_MAX: u32 = 100;

/// A directory to resolve beneath; how it is reached is nobody's but the node's.
///
/// # Errors
/// What the file system says.
pub(crate) fn root(path: &Path) -> io::Result<OwnedFd> {
    Ok(openat(CWD, path, PATH, Mode::empty())?)
}

/// Opens `path` beneath `root`: links may be followed, but lead nowhere out.
fn look(root: &OwnedFd, path: &Path, flags: OFlags, resolve: ResolveFlags) -> io::Result<OwnedFd> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    for _ in 0..AGAIN_MAX {
        match openat2(root, path, flags, Mode::empty(), resolve | ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS) {
            Err(Errno::AGAIN) => {}
            found => return Ok(found?),
        }
    }
    Err(Errno::AGAIN.into())
}

/// What `path` names beneath `root`, for mounting. What is missing becomes directories with the root's mode.
///
/// # Errors
/// What the file system says; `EXDEV` when the path leads out.
pub(crate) fn make(root: &OwnedFd, path: &Path) -> io::Result<OwnedFd> {
    match look(root, path, PATH, ResolveFlags::empty()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        found => return found,
    }
    let mode = fstat(root)?.st_mode & 0o7777;
    let mut directory = look(root, Path::new("."), PATH | OFlags::DIRECTORY, ResolveFlags::empty())?;
    let mut made = PathBuf::new();
    for component in path.components() {
        made.push(component);
        directory = match look(root, &made, PATH | OFlags::DIRECTORY, ResolveFlags::empty()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                make_one(&directory, component.as_os_str(), mode)?;
                look(root, &made, PATH | OFlags::DIRECTORY, ResolveFlags::empty())?
            }
            found => found?,
        };
    }
    Ok(directory)
}

/// Makes a directory with just this mode. One that is there meanwhile stays as it is.
fn make_one(parent: &OwnedFd, name: &OsStr, mode: u32) -> io::Result<()> {
    match mkdirat(parent, name, Mode::from_raw_mode(0o700)) {
        Ok(()) => {}
        Err(Errno::EXIST) => return Ok(()),
        Err(error) => return Err(error.into()),
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    // A container may have put another of its own directories there; that one gets the mode, which is its own affair.
    File::from(openat(parent, name, flags, Mode::empty())?).set_permissions(Permissions::from_mode(mode))
}

/// Binds what a descriptor refers to at `target`, which is made: a directory for a directory, else a file.
///
/// # Errors
/// What the kernel says.
pub(crate) fn bind(source: &OwnedFd, target: &Path) -> io::Result<()> {
    if FileType::from_raw_mode(fstat(source)?.st_mode) == FileType::Directory {
        std::fs::create_dir_all(target)?;
    } else {
        File::create_new(target)?;
    }
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH
        | OpenTreeFlags::AT_RECURSIVE;
    let tree = open_tree(source, "", flags)?;
    Ok(move_mount(&tree, "", CWD, target, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?)
}

/// A directory beneath `root`, made where missing, by a path without any link.
///
/// # Errors
/// What the file system says; `ELOOP` for a link.
pub(crate) fn plain_directory(root: &Path, path: &Path) -> io::Result<OwnedFd> {
    let mut directory = self::root(root)?;
    let inside = path.strip_prefix(root).map_err(|_| io::ErrorKind::InvalidInput)?;
    for component in inside.components() {
        let Component::Normal(name) = component else { return Err(io::ErrorKind::InvalidInput.into()) };
        match mkdirat(&directory, name, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        directory = openat(&directory, name, PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW, Mode::empty())?;
    }
    Ok(directory)
}

/// A regular file beneath `root`, to be read; no link is followed, and what is no file is refused without waiting for
/// it.
///
/// # Errors
/// What the file system says.
pub(crate) fn plain_file(root: &Path, path: &Path) -> io::Result<File> {
    let inside = path.strip_prefix(root).map_err(|_| io::ErrorKind::InvalidInput)?;
    regular(look(&self::root(root)?, inside, READ, ResolveFlags::NO_SYMLINKS)?)
}

/// Flags for reading what may be anything: nothing is waited for, no terminal becomes this process's.
const READ: OFlags =
    OFlags::RDONLY.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::NOFOLLOW);

/// A descriptor as a regular file, or a refusal.
///
/// # Errors
/// It is something else.
pub(crate) fn regular(descriptor: OwnedFd) -> io::Result<File> {
    match FileType::from_raw_mode(fstat(&descriptor)?.st_mode) {
        FileType::RegularFile => Ok(descriptor.into()),
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, "not a regular file")),
    }
}

/// A small file of a file system that is a stranger's, whose links lead nowhere out of it: its first `most` bytes.
///
/// # Errors
/// What the file system says; it is no regular file.
pub(crate) fn read_in(root: &Path, path: &str, most: u64) -> io::Result<Vec<u8>> {
    let flags = READ.difference(OFlags::NOFOLLOW);
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let file = regular(openat2(self::root(root)?.as_fd(), path, flags, Mode::empty(), resolve)?)?;
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The last `most` bytes of a file.
///
/// # Errors
/// What the file system says.
pub(crate) fn tail(mut file: File, most: u64) -> io::Result<Vec<u8>> {
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(most)))?;
    let mut bytes = Vec::new();
    // It may be growing.
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{RenameFlags, renameat_with};
    use std::fs;
    use std::os::unix::fs::{MetadataExt, symlink};
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::{Duration, Instant};

    fn volume() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let base = tempfile::tempdir().unwrap();
        let (volume, outside) = (base.path().join("volume"), base.path().join("outside"));
        fs::create_dir(&volume).unwrap();
        fs::create_dir(&outside).unwrap();
        (base, volume, outside)
    }

    fn inode(descriptor: &OwnedFd) -> u64 {
        fstat(descriptor).unwrap().st_ino
    }

    #[test]
    fn links_lead_nowhere_out_and_make_nothing_there() {
        let (_base, volume, outside) = volume();
        symlink(&outside, volume.join("absolute")).unwrap();
        symlink("../outside", volume.join("up")).unwrap();
        symlink("../outside/new", volume.join("dangling")).unwrap();
        symlink("/proc/self/cwd", volume.join("magic")).unwrap();
        symlink("loop", volume.join("loop")).unwrap();
        fs::create_dir(volume.join("inside")).unwrap();
        symlink("inside", volume.join("alias")).unwrap();
        let root = root(&volume).unwrap();
        for path in
            ["absolute", "absolute/a/b", "up", "up/a", "dangling", "dangling/a", "magic/a", "loop/a", "../outside"]
        {
            assert!(make(&root, Path::new(path)).is_err(), "{path}");
        }
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
        fs::set_permissions(&volume, Permissions::from_mode(0o2777)).unwrap();
        let made = make(&root, Path::new("alias/a/b")).unwrap();
        let meta = fs::metadata(volume.join("inside/a/b")).unwrap();
        assert_eq!((inode(&made), meta.mode() & 0o7777), (meta.ino(), 0o2777));
    }

    /// A container exchanges a directory of its volume with a link, as fast as it can. CI has a second for it,
    /// `EKSILE_ATTACK=long` (`make attack`) twenty.
    #[test]
    fn a_raced_path_is_never_outside() {
        let (base, volume, outside) = volume();
        fs::create_dir(volume.join("d")).unwrap();
        symlink(&outside, volume.join("swap")).unwrap();
        let stop = AtomicBool::new(false);
        let long = std::env::var("EKSILE_ATTACK").is_ok_and(|length| length == "long");
        let seconds = if long { 20 } else { 1 };
        let device = fs::metadata(base.path()).unwrap().dev();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let top = super::root(&volume).unwrap();
                while !stop.load(Ordering::Relaxed) {
                    renameat_with(&top, "d", &top, "swap", RenameFlags::EXCHANGE).unwrap();
                }
            });
            let root = super::root(&volume).unwrap();
            let (begin, mut good) = (Instant::now(), 0);
            let forbidden = fs::metadata(&outside).unwrap().ino();
            for number in 0_u64.. {
                if begin.elapsed() > Duration::from_secs(seconds) {
                    break;
                }
                let Ok(found) = make(&root, Path::new(&format!("d/n{}", number % 64))) else { continue };
                assert_eq!(fstat(&found).unwrap().st_dev, device);
                assert_ne!(inode(&found), forbidden);
                good += 1;
            }
            stop.store(true, Ordering::Relaxed);
            assert!(good > 0, "the race was never won by the right side");
        });
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0, "something was made outside");
    }

    #[test]
    fn what_is_no_plain_file_is_not_read_and_not_waited_for() {
        let (base, logs, outside) = volume();
        fs::write(outside.join("secret"), "x").unwrap();
        symlink(outside.join("secret"), logs.join("link")).unwrap();
        symlink(&outside, logs.join("way")).unwrap();
        rustix::fs::mknodat(CWD, logs.join("fifo"), FileType::Fifo, Mode::from_raw_mode(0o666), 0).unwrap();
        fs::write(logs.join("log"), "0123456789").unwrap();
        for name in ["link", "way/secret", "fifo", ".", "nothing", "../outside/secret"] {
            assert!(plain_file(&logs, &logs.join(name)).is_err(), "{name}");
        }
        assert_eq!(tail(plain_file(&logs, &logs.join("log")).unwrap(), 4).unwrap(), b"6789");
        assert!(plain_directory(&logs, &logs.join("way/new")).is_err());
        plain_directory(&logs, &logs.join("a/b")).unwrap();
        for name in ["link", "fifo"] {
            assert!(read_in(&logs, name, 10).is_err(), "{name}: not in the image");
        }
        assert_eq!(read_in(base.path(), "volume/log", 3).unwrap(), b"012");
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
    }

    /// Runs in namespaces that the next test makes.
    #[test]
    #[ignore = "run by what_was_found_is_bound_whatever_its_name_becomes"]
    fn within_namespaces() {
        let (base, volume, outside) = volume();
        fs::create_dir(volume.join("d")).unwrap();
        fs::write(volume.join("d/right"), "").unwrap();
        fs::write(volume.join("file"), "right").unwrap();
        fs::write(outside.join("wrong"), "").unwrap();
        let root = root(&volume).unwrap();
        let (directory, file) = (make(&root, Path::new("d")).unwrap(), make(&root, Path::new("file")).unwrap());
        fs::rename(volume.join("d"), volume.join("moved")).unwrap();
        symlink(&outside, volume.join("d")).unwrap();
        bind(&directory, &base.path().join("target")).unwrap();
        bind(&file, &base.path().join("target-file")).unwrap();
        assert!(base.path().join("target/right").exists() && !base.path().join("target/wrong").exists());
        assert_eq!(fs::read_to_string(base.path().join("target-file")).unwrap(), "right");
    }

    #[test]
    fn what_was_found_is_bound_whatever_its_name_becomes() {
        let unshare = || {
            let mut command = std::process::Command::new("unshare");
            command.args(["--user", "--map-root-user", "--mount"]);
            command
        };
        if !unshare().arg("true").status().is_ok_and(|status| status.success()) {
            eprintln!("SKIPPED: needs user namespaces");
            return;
        }
        let test = ["--exact", "beneath::tests::within_namespaces", "--ignored"];
        let done = unshare().arg(std::env::current_exe().unwrap()).args(test).output().unwrap();
        let said = String::from_utf8_lossy(&done.stdout);
        assert!(done.status.success() && said.contains("1 passed"), "{said}");
    }
}
