//! Trees of control groups that strangers made: as deep as the kernel lets them be, so that no path leads to all of them.
//! They are walked by descriptor, and neither stack nor descriptors grow with the depth.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read as _};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, openat, statat, unlinkat};
use rustix::io::Errno;

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
/// Most processes that are told of.
const TOLD: usize = 1000;

/// Removes a group with all below it, from the leaves up; their files go with them. Nothing there is fine. One that is in
/// use stays, and the others go all the same.
///
/// # Errors
/// The first refusal.
pub fn remove(top: &Path) -> io::Result<()> {
    let Some(group) = open(top)? else { return Ok(()) };
    let mut refused = None;
    let gone = |result: Result<(), Errno>| match result {
        Ok(()) | Err(Errno::NOENT) => None,
        Err(error) => Some(io::Error::from(error)),
    };
    walk(group, &mut |_| {}, &mut |above, name| {
        if let Some(error) = gone(unlinkat(above, name, AtFlags::REMOVEDIR)) {
            refused.get_or_insert(error);
        }
    })?;
    match refused.or_else(|| gone(unlinkat(CWD, top, AtFlags::REMOVEDIR))) {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

/// Lets the processes of a group and of all below it go on. While version 1's freezer holds them they cannot be ended.
///
/// # Errors
/// When the groups cannot be read.
pub fn thaw(top: &Path) -> io::Result<()> {
    let Some(group) = open(top)? else { return Ok(()) };
    walk(
        group,
        &mut |group| {
            for (file, word) in [("freezer.state", "THAWED"), ("cgroup.freeze", "0")] {
                let Ok(file) = openat(group, file, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty()) else { continue };
                // The top of a hierarchy has no such file, and what is gone needs none.
                let _unneeded = rustix::io::write(&file, word.as_bytes());
            }
        },
        &mut |_, _| {},
    )
}

/// The processes of a group and of all below it; of very many, some.
///
/// # Errors
/// When the groups cannot be read.
pub fn processes(top: &Path) -> io::Result<Vec<i32>> {
    let mut found = Vec::new();
    let Some(group) = open(top)? else { return Ok(found) };
    walk(
        group,
        &mut |group| {
            let Ok(file) = openat(group, "cgroup.procs", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) else {
                return;
            };
            let mut text = String::new();
            // A group of threads has no such list; its processes are in that of the one above.
            if std::fs::File::from(file).take(64 * 1024).read_to_string(&mut text).is_ok() {
                let free = TOLD.saturating_sub(found.len());
                found.extend(text.lines().filter_map(|line| line.parse::<i32>().ok()).take(free));
            }
        },
        &mut |_, _| {},
    )?;
    Ok(found)
}

fn open(top: &Path) -> io::Result<Option<OwnedFd>> {
    match openat(CWD, top, DIRECTORY, Mode::empty()) {
        Ok(group) => Ok(Some(group)),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Goes through a tree: `enter` before what is below a group, `leave` (with the group above and the name) after it, and
/// not for the top. Groups do not move to others, so the way back is `..`.
fn walk(top: OwnedFd, enter: &mut dyn FnMut(&OwnedFd), leave: &mut dyn FnMut(&OwnedFd, &OsStr)) -> io::Result<()> {
    enter(&top);
    let (mut left, mut at) = (groups(&top)?, top);
    let mut way: Vec<(OsString, Vec<OsString>)> = Vec::new();
    loop {
        let Some(name) = left.pop() else {
            let Some((name, rest)) = way.pop() else { return Ok(()) };
            at = openat(&at, "..", DIRECTORY, Mode::empty())?;
            leave(&at, &name);
            left = rest;
            continue;
        };
        match openat(&at, &name, DIRECTORY, Mode::empty()) {
            Ok(below) => {
                enter(&below);
                let others = std::mem::replace(&mut left, groups(&below)?);
                way.push((name, others));
                at = below;
            }
            Err(Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// The names of the groups below one; none of one that has just gone.
fn groups(group: &OwnedFd) -> io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(group.as_fd())? {
        let entry = match entry {
            Err(Errno::NOENT | Errno::NODEV) => break,
            entry => entry?,
        };
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        let is_group = match entry.file_type() {
            FileType::Unknown => statat(group, name, AtFlags::SYMLINK_NOFOLLOW)
                .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory),
            kind => kind == FileType::Directory,
        };
        if is_group && name != "." && name != ".." {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::mkdirat;

    /// Directories stand for groups: the walk is the same.
    #[test]
    fn a_tree_deeper_than_a_path_is_long_is_removed() {
        let base = tempfile::tempdir().unwrap();
        let top = base.path().join("top");
        std::fs::create_dir(&top).unwrap();
        remove(&base.path().join("nothing")).unwrap();
        let mut at = open(&top).unwrap().unwrap();
        for _ in 0..3000 {
            for name in ["deep", "beside"] {
                mkdirat(&at, name, Mode::from_raw_mode(0o755)).unwrap();
            }
            at = openat(&at, "deep", DIRECTORY, Mode::empty()).unwrap();
        }
        std::os::unix::fs::symlink("/", top.join("link")).unwrap();
        assert!(remove(&top).is_err(), "something else is in the way");
        assert_eq!(std::fs::read_dir(&top).unwrap().count(), 1, "all but what is no group is gone");
        std::fs::remove_file(top.join("link")).unwrap();
        remove(&top).unwrap();
        assert!(!top.exists());
    }

    /// A process frozen where it is, in a group below the one that is thawed.
    #[test]
    fn what_is_frozen_is_thawed_and_ends() {
        let root = Path::new("/sys/fs/cgroup/freezer");
        let top = root.join(format!("eksile-test-{}", std::process::id()));
        let below = top.join("a/b");
        if !root.join("cgroup.procs").exists() || std::fs::create_dir_all(&below).is_err() {
            println!("SKIPPED: there is no freezer of version 1, or this is not root");
            return;
        }
        let mut child = std::process::Command::new("sleep").arg("600").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        std::fs::write(below.join("cgroup.procs"), pid.to_string()).unwrap();
        std::fs::write(below.join("freezer.state"), "FROZEN").unwrap();
        let state = || std::fs::read_to_string(below.join("freezer.state")).unwrap();
        while state().trim() != "FROZEN" {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        child.kill().unwrap();
        let frozen = child.try_wait().unwrap().is_none();
        assert_eq!(processes(&top).unwrap(), [pid]);
        assert!(remove(&top).is_err(), "it is in use");
        thaw(&top).unwrap();
        child.wait().unwrap();
        while remove(&top).is_err() {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        assert!(frozen && !top.exists());
    }
}
