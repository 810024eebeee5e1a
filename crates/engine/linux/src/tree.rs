//! Trees of files that strangers made: images and containers. They may be as deep and as odd as a file system lets them,
//! and change while they are looked at.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, ResolveFlags, openat, openat2, renameat, statat, unlinkat,
};
use rustix::io::Errno;

/// Deepest tree that is measured; no program needs one that deep.
const DEPTH_MAX: usize = 200;
/// Most directories held open while a tree is removed.
const OPEN_MAX: usize = 64;
/// How often a directory that is not empty again is emptied.
const AGAIN_MAX: u32 = 1000;

/// Removes what `path` names: a file, a link, or a directory with all below it. Nothing there is fine.
///
/// Links are not followed, and nothing is removed behind a mount. Neither stack nor descriptors grow with the depth.
///
/// # Errors
/// What the file system says; a mount somewhere in it.
pub fn remove_tree(path: &Path) -> io::Result<()> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let above = path.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match openat(CWD, above, DIRECTORY, Mode::empty()) {
        Ok(parent) => remove_at(&parent, name),
        Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// [`remove_tree`] of a name in a directory.
///
/// # Errors
/// As there.
pub fn remove_at(parent: &OwnedFd, name: &OsStr) -> io::Result<()> {
    if unlink(parent, name)? {
        return Ok(());
    }
    let (mut open, mut moved, mut again) = (vec![Level::enter(parent, name)?], 0_u64, 0_u32);
    loop {
        let depth = open.len();
        let Some(level) = open.last_mut() else { return Ok(()) };
        let Some(name) = level.left.pop() else {
            let Some(Level { name, .. }) = open.pop() else { return Ok(()) };
            let above = open.last().map_or(parent, |level| &level.directory);
            match unlinkat(above, &name, AtFlags::REMOVEDIR) {
                // Somebody writes there.
                Err(Errno::NOTEMPTY | Errno::EXIST) if again < AGAIN_MAX => {
                    again += 1;
                    let level = Level::enter(above, &name)?;
                    open.push(level);
                }
                Ok(()) | Err(Errno::NOENT) => {}
                Err(error) => return Err(error.into()),
            }
            continue;
        };
        if unlink(&level.directory, &name)? {
            continue;
        }
        if depth < OPEN_MAX {
            let below = Level::enter(&level.directory, &name)?;
            open.push(below);
        } else if let Some((top, deep)) = open.split_first_mut()
            && let Some(level) = deep.last()
            && let Some(name) = move_up(&level.directory, &name, &top.directory, &mut moved)?
        {
            // What is deep becomes flat, so that no depth must be remembered.
            top.left.push(name);
        }
    }
}

/// A directory that is being emptied.
struct Level {
    directory: OwnedFd,
    name: OsString,
    left: Vec<OsString>,
}

impl Level {
    fn enter(parent: &OwnedFd, name: &OsStr) -> io::Result<Self> {
        let directory = enter(parent, name)?;
        Ok(Self { left: names(&directory)?, name: name.to_owned(), directory })
    }
}

/// Moves a directory to the top, under a name that is free there. None: it is gone.
fn move_up(from: &OwnedFd, name: &OsStr, top: &OwnedFd, moved: &mut u64) -> io::Result<Option<OsString>> {
    loop {
        *moved += 1;
        let free = OsString::from(format!(".removed-{moved}"));
        match renameat(from, name, top, &free) {
            Err(Errno::EXIST | Errno::NOTEMPTY | Errno::NOTDIR) => {}
            Ok(()) => return Ok(Some(free)),
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Removes what is no directory, or an empty one. False: a directory with something in it.
fn unlink(parent: &OwnedFd, name: &OsStr) -> io::Result<bool> {
    match unlinkat(parent, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(true),
        Err(Errno::ISDIR) => {}
        Err(error) => return Err(error.into()),
    }
    match unlinkat(parent, name, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT) => Ok(true),
        Err(Errno::NOTEMPTY | Errno::EXIST) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn enter(parent: &OwnedFd, name: &OsStr) -> io::Result<OwnedFd> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    Ok(openat2(parent, name, DIRECTORY, Mode::empty(), resolve)?)
}

fn names(directory: &OwnedFd) -> io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory.as_fd())? {
        let entry = entry?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name != "." && name != ".." {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

/// What a file takes that has nothing in it, in bytes: its inode (mke2fs(8)). Of those a disk has only so many.
const INODE: u64 = 256;

/// Bytes on disk of what `path` names, with all below it; nothing there takes none. Links are not followed. What goes away
/// meanwhile is not counted.
///
/// # Errors
/// A tree deeper than any program needs, and what else keeps it from being measured (no descriptor left, no right).
pub fn used(path: &Path) -> io::Result<u64> {
    let blocks = |stat: &rustix::fs::Stat| u64::try_from(stat.st_blocks).unwrap_or(0) * 512 + INODE;
    let Some(stat) = there(statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW))? else { return Ok(0) };
    let mut sum = blocks(&stat);
    if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
        return Ok(sum);
    }
    let top = openat(CWD, path, DIRECTORY | OFlags::NOFOLLOW, Mode::empty());
    let Some(top) = there(top)? else { return Ok(sum) };
    let mut open = vec![(there(names(&top))?.unwrap_or_default(), top)];
    while let Some((left, directory)) = open.last_mut() {
        let Some(name) = left.pop() else {
            open.pop();
            continue;
        };
        let Some(stat) = there(statat(&*directory, &name, AtFlags::SYMLINK_NOFOLLOW))? else { continue };
        sum += blocks(&stat);
        if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
            continue;
        }
        let Some(below) = there(enter(directory, &name))? else { continue };
        if open.len() >= DEPTH_MAX {
            return Err(io::Error::other("directories are nested too deeply to be measured"));
        }
        open.push((there(names(&below))?.unwrap_or_default(), below));
    }
    Ok(sum)
}

/// Nothing where something went away, gave its place to something else, or lies on another file system.
fn there<T>(looked: Result<T, impl Into<io::Error>>) -> io::Result<Option<T>> {
    match looked.map_err(Into::into) {
        Ok(found) => Ok(Some(found)),
        Err(error) => match error.raw_os_error().map(Errno::from_raw_os_error) {
            Some(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::XDEV) => Ok(None),
            _ => Err(error),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// A chain of directories, deeper than a path may be long and than a process may open files.
    fn deep(top: &Path, depth: usize) {
        let mut at = openat(CWD, top, DIRECTORY, Mode::empty()).unwrap();
        for _ in 0..depth {
            rustix::fs::mkdirat(&at, "deep", Mode::from_raw_mode(0o755)).unwrap();
            at = openat(&at, "deep", DIRECTORY, Mode::empty()).unwrap();
        }
    }

    #[test]
    fn a_tree_of_any_depth_is_removed_and_no_link_followed() {
        let base = tempfile::tempdir().unwrap();
        let (tree, outside) = (base.path().join("tree"), base.path().join("outside"));
        fs::create_dir(&tree).unwrap();
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("kept"), "x").unwrap();
        std::os::unix::fs::symlink(&outside, tree.join("out")).unwrap();
        // Longer than a path may be (PATH_MAX, 4096), and deeper than files may be open.
        deep(&tree, 3000);
        assert!(used(&tree).is_err(), "not measured");
        remove_tree(&tree).unwrap();
        assert!(!tree.exists() && outside.join("kept").exists());
        remove_tree(&tree).unwrap();
        remove_tree(&base.path().join("no/such/place")).unwrap();
    }

    /// Whoever fills the tree may, meanwhile, put links to elsewhere in the place of its directories.
    #[test]
    fn a_link_that_takes_the_place_of_a_directory_is_not_followed() {
        use std::sync::atomic::{AtomicBool, Ordering};
        let base = tempfile::tempdir().unwrap();
        let (tree, outside) = (base.path().join("tree"), base.path().join("outside"));
        fs::create_dir(&outside).unwrap();
        for n in 0..200 {
            fs::write(outside.join(n.to_string()), "x").unwrap();
        }
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let (place, aside) = (tree.join("a/b"), tree.join("a/aside"));
                while !over.load(Ordering::Relaxed) {
                    // Each may find that what it works on has been removed.
                    let _gone = fs::create_dir_all(&place);
                    let _gone = deep_quietly(&place);
                    let _gone = fs::rename(&place, &aside);
                    let _gone = std::os::unix::fs::symlink(&outside, &place);
                    let _gone = fs::remove_file(&place);
                    let _gone = fs::rename(&aside, &place);
                }
            });
            for _ in 0..300 {
                // That somebody keeps writing there may be an error, but nothing outside is touched.
                let _busy = remove_tree(&tree);
            }
            over.store(true, Ordering::Relaxed);
        });
        remove_tree(&tree).unwrap();
        assert!(!tree.exists());
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 200);
    }

    fn deep_quietly(top: &Path) -> io::Result<()> {
        let mut at = openat(CWD, top, DIRECTORY, Mode::empty())?;
        for _ in 0..100 {
            rustix::fs::mkdirat(&at, "deep", Mode::from_raw_mode(0o755))?;
            at = openat(&at, "deep", DIRECTORY, Mode::empty())?;
        }
        Ok(())
    }

    #[test]
    fn what_cannot_be_measured_is_not_taken_for_nothing() {
        let base = tempfile::tempdir().unwrap();
        let tree = base.path().join("tree");
        fs::create_dir(&tree).unwrap();
        assert_eq!(used(&base.path().join("gone")).unwrap(), 0);
        // As a thread without the rights of root sees it.
        fs::set_permissions(&tree, std::os::unix::fs::PermissionsExt::from_mode(0o000)).unwrap();
        let measured = std::thread::spawn(move || {
            rustix::thread::set_thread_uid(rustix::process::Uid::from_raw(65_534)).map(|()| used(&tree))
        });
        match measured.join().unwrap() {
            Ok(measured) => assert_eq!(measured.unwrap_err().kind(), io::ErrorKind::PermissionDenied),
            Err(error) => println!("SKIPPED: {error}"),
        }
    }

    #[test]
    fn what_lies_on_disk_is_counted() {
        let base = tempfile::tempdir().unwrap();
        assert_eq!(used(&base.path().join("nothing")).unwrap(), 0);
        fs::create_dir_all(base.path().join("a/b")).unwrap();
        fs::write(base.path().join("a/b/file"), vec![1; 1 << 20]).unwrap();
        std::os::unix::fs::symlink("/usr", base.path().join("a/link")).unwrap();
        (0..1000).for_each(|number| fs::write(base.path().join(format!("a/b/{number}")), "").unwrap());
        let empty = used(&base.path().join("a/b")).unwrap() - used(&base.path().join("a/b/file")).unwrap();
        assert!(empty > 1000 * 256, "{empty}: empty files are not free");
        assert!((1 << 20..3 << 20).contains(&used(base.path()).unwrap()));
    }
}
