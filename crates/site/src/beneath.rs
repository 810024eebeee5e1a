//! Files below a folder that somebody else writes in: never what a link there leads to.
//!
//! What an instance keeps is its own, and its root may put anything there. So this machine's side opens it by descriptor
//! and the kernel refuses to leave the folder or to follow any link (openat2(2)).

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::path::{Component, Path};

use rustix::fs::{AtFlags, Gid, Uid};
use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, chownat, fstat, mkdirat, openat, openat2};

const CONFINED: ResolveFlags =
    ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS).union(ResolveFlags::NO_MAGICLINKS);

fn folder(path: &Path) -> io::Result<OwnedFd> {
    Ok(openat(CWD, path, OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?)
}

/// Opens a regular file for reading, `inside` being below `root`.
///
/// # Errors
/// When it is not there, is anything else (a FIFO, a device), or a link is on the way.
pub fn open(root: &Path, inside: &Path) -> io::Result<File> {
    // Not waiting for a writer, were it a FIFO.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = openat2(folder(root)?, inside, flags, Mode::empty(), CONFINED)?;
    if FileType::from_raw_mode(fstat(&file)?.st_mode) != FileType::RegularFile {
        return Err(io::Error::new(ErrorKind::InvalidInput, "not a regular file"));
    }
    Ok(file.into())
}

/// Most names of a directory that are looked at: whoever fills it decides how many there are.
const NAMES_MAX: usize = 10_000;

/// The names in a directory below `root`, of very many some; none of one that is not there.
///
/// # Errors
/// When it cannot be read, or a link is on the way.
pub fn names(root: &Path, inside: &Path) -> io::Result<Vec<String>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened = folder(root).and_then(|root| Ok(openat2(root, inside, flags, Mode::empty(), CONFINED)?));
    let directory = match opened {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        opened => opened?,
    };
    let mut names = Vec::new();
    for entry in rustix::fs::Dir::read_from(&directory)?.take(NAMES_MAX) {
        // One whose name is no text has no place in a list.
        names.extend(entry?.file_name().to_str().ok().map(str::to_owned));
    }
    names.retain(|name| name != "." && name != "..");
    Ok(names)
}

/// A directory below `root`, with those above it, made where they are missing and then owned by `owner` (user and
/// group).
///
/// # Errors
/// When something else is there already, such as a link.
pub fn directory(root: &Path, inside: &Path, owner: u32) -> io::Result<OwnedFd> {
    let mut at = folder(root)?;
    for part in inside.components() {
        let Component::Normal(name) = part else { return Err(ErrorKind::InvalidInput.into()) };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        at = match openat2(&at, name, flags, Mode::empty(), CONFINED) {
            Err(rustix::io::Errno::NOENT) => {
                mkdirat(&at, name, Mode::from_raw_mode(0o755))?;
                let owner = (Some(Uid::from_raw(owner)), Some(Gid::from_raw(owner)));
                chownat(&at, name, owner.0, owner.1, AtFlags::SYMLINK_NOFOLLOW)?;
                openat2(&at, name, flags, Mode::empty(), CONFINED)?
            }
            opened => opened?,
        };
    }
    Ok(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::io::Read;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_fifos_and_ways_out_are_refused() {
        let base = tempfile::tempdir().unwrap();
        let (root, outside) = (base.path().join("root"), base.path().join("outside"));
        fs::create_dir_all(root.join("var/log")).unwrap();
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("secret"), "secret").unwrap();
        fs::write(root.join("var/log/good.log"), "good").unwrap();
        let mut text = String::new();
        open(&root, Path::new("var/log/good.log")).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "good");
        symlink("good.log", root.join("var/log/alias.log")).unwrap();
        symlink(outside.join("secret"), root.join("var/log/secret.log")).unwrap();
        symlink("../../../outside", root.join("var/log/up")).unwrap();
        symlink(&outside, root.join("opt")).unwrap();
        nix::unistd::mkfifo(&root.join("var/log/pipe.log"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        for inside in [
            "var/log/alias.log",
            "var/log/secret.log",
            "var/log/up/secret",
            "../outside/secret",
            "var/log",
            "var/log/pipe.log",
            "/etc/passwd",
            "var/log/missing",
        ] {
            assert!(open(&root, Path::new(inside)).is_err(), "{inside}");
        }
        assert_eq!(names(&root, Path::new("var/log")).unwrap().len(), 5);
        assert!(names(&root, Path::new("opt")).is_err());
        assert!(names(&root, Path::new("nothing/here")).unwrap().is_empty());
        assert!(directory(&root, Path::new("opt/eksile"), 0).is_err());
        assert!(directory(&root, Path::new("../outside/x"), 0).is_err());
        directory(&root, Path::new("srv/eksile"), nix::unistd::getuid().as_raw()).unwrap();
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
        assert!(root.join("srv/eksile").is_dir());
    }
}
