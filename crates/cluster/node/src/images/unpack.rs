//! A layer's archive becomes an overlay directory (OCI image specification, "Image Layer Filesystem Changeset").
//!
//! The archive is a stranger's: every path is resolved by the kernel beneath the layer's own directory, links are never
//! followed out of it, and what an entry replaces is removed, not written through.

use std::cell::Cell;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, FileType, Gid, Mode, OFlags, ResolveFlags, Timespec, Timestamps, Uid, XattrFlags, chmodat, chownat,
    fsetxattr, linkat, makedev, mkdirat, mknodat, openat, openat2, symlinkat, utimensat,
};
use rustix::io::Errno;
use tar::{Archive, Entry, EntryType};

use eksile_linux::tree::remove_at;

/// Most entries of a layer.
const ENTRIES_MAX: u64 = 1_000_000;
/// Most bytes of an entry's names and attributes: they are held in memory.
const HEAD_MAX: u64 = 1 << 20;
/// Most bytes of the names of a layer's directories together: they are held in memory, too.
const NAMES_MAX: usize = 64 << 20;
/// What an entry costs beside its content, about: an inode and a place in a directory.
const ENTRY_COST: u64 = 4096;

/// Marks a directory that hides those of its name below.
const OPAQUE: &str = "user.overlay.opaque";

/// Why a layer was not unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// The archive could not be read.
    #[error("read the layer: {0}")]
    Read(#[source] io::Error),
    /// An entry could not be made.
    #[error("{path}: {source}")]
    Write {
        /// The entry.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// An entry is not acceptable.
    #[error("{path}: {reason}")]
    Refused {
        /// The entry.
        path: String,
        /// Why.
        reason: &'static str,
    },
}

/// Unpacks an uncompressed archive into `directory`, which exists. Whiteouts become overlay's own marks. Returns how many
/// of the `room` bytes it takes, at most: a sparse file counts as long as it is, and an entry without content 4 KiB.
///
/// # Errors
/// [`UnpackError`]; the directory then holds a part, and must be thrown away.
pub fn unpack(archive: impl Read, directory: &Path, room: u64) -> Result<u64, UnpackError> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = openat(CWD, directory, flags, Mode::empty())
        .map_err(|error| UnpackError::Write { path: directory.display().to_string(), source: error.into() })?;
    let (mut left, head) = (room, Cell::new(u64::MAX));
    let mut archive = Archive::new(Headed { from: archive, left: &head });
    let (mut count, mut names) = (0, 0);
    // Times of directories are set last: making their content would change them.
    let mut directories = Vec::new();
    let mut entries = archive.entries().map_err(UnpackError::Read)?;
    loop {
        head.set(HEAD_MAX);
        let Some(entry) = entries.next() else { break };
        let mut entry = entry.map_err(UnpackError::Read)?;
        head.set(u64::MAX);
        count += 1;
        let path = clean(&entry)?;
        let refused = |reason| Err(UnpackError::Refused { path: path.display().to_string(), reason });
        if count > ENTRIES_MAX {
            return refused("too many entries");
        }
        let at = |source: io::Error| UnpackError::Write { path: path.display().to_string(), source };
        left = left.checked_sub(entry.size().saturating_add(ENTRY_COST)).ok_or_else(|| at(too_large()))?;
        match place(&root, &path, &mut entry).map_err(at)? {
            Placed::Directory(modified) => {
                names += path.as_os_str().len();
                directories.push((path.clone(), modified));
            }
            Placed::Other => {}
            Placed::Unknown => return refused("unknown kind of entry"),
        }
        if names > NAMES_MAX {
            return refused("too many directories");
        }
        // What an entry has beside what was taken, so that only a head lies before the next.
        io::copy(&mut entry, &mut io::sink()).map_err(UnpackError::Read)?;
    }
    for (path, modified) in directories.iter().rev() {
        // One that was replaced later has no time to set.
        let _ = set_time(&root, path, *modified);
    }
    Ok(room - left)
}

fn too_large() -> io::Error {
    io::Error::other("the image is larger unpacked than there is room for")
}

/// An archive of which only so much may be read at a time: what describes an entry is read as a whole.
struct Headed<'a, R> {
    from: R,
    left: &'a Cell<u64>,
}

impl<R: Read> Read for Headed<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.from.read(buffer)?;
        let rest = self.left.get().checked_sub(count as u64);
        self.left.set(rest.ok_or_else(|| io::Error::other("names or attributes of an entry are too long"))?);
        Ok(count)
    }
}

enum Placed {
    Directory(i64),
    Other,
    Unknown,
}

/// The entry's path, relative and without `.`; `..` is refused.
fn clean<R: Read>(entry: &Entry<'_, R>) -> Result<PathBuf, UnpackError> {
    let raw = entry.path_bytes();
    let mut path = PathBuf::new();
    for component in Path::new(OsStr::from_bytes(&raw)).components() {
        match component {
            Component::Normal(name) => path.push(name),
            Component::CurDir | Component::RootDir => {}
            Component::ParentDir | Component::Prefix(_) => {
                let path = String::from_utf8_lossy(&raw).into_owned();
                return Err(UnpackError::Refused { path, reason: "leads out of the layer" });
            }
        }
    }
    Ok(path)
}

fn place<R: Read>(root: &OwnedFd, path: &Path, entry: &mut Entry<'_, R>) -> io::Result<Placed> {
    let kind = entry.header().entry_type();
    if matches!(kind, EntryType::XGlobalHeader | EntryType::XHeader) {
        return Ok(Placed::Other);
    }
    let modified = i64::try_from(entry.header().mtime()?).unwrap_or(0);
    let Some(name) = path.file_name() else {
        // The layer's own root.
        own(root, OsStr::new("."), entry, kind)?;
        return Ok(Placed::Directory(modified));
    };
    let parent = make_parents(root, path.parent().unwrap_or(Path::new("")))?;
    if let Some(hidden) = name.as_bytes().strip_prefix(b".wh.") {
        white_out(&parent, hidden)?;
        return Ok(Placed::Other);
    }
    match make(root, &parent, name, entry)? {
        Made::Here => {}
        Made::LeftOut => return Ok(Placed::Other),
        Made::Unknown => return Ok(Placed::Unknown),
    }
    if kind == EntryType::Link {
        return Ok(Placed::Other);
    }
    own(&parent, name, entry, kind)?;
    if kind.is_dir() {
        return Ok(Placed::Directory(modified));
    }
    set_time_at(&parent, name, modified)?;
    Ok(Placed::Other)
}

/// Opens a directory of the layer; links in it are followed as if the layer were the root.
fn open_in(root: &OwnedFd, path: &Path) -> io::Result<OwnedFd> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    Ok(openat2(root, path, flags, Mode::empty(), resolve)?)
}

fn make_parents(root: &OwnedFd, path: &Path) -> io::Result<OwnedFd> {
    match open_in(root, path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        other => return other,
    }
    let mut made = PathBuf::new();
    let mut directory = open_in(root, &made)?;
    for component in path.components() {
        made.push(component);
        directory = match open_in(root, &made) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                mkdirat(&directory, component.as_os_str(), Mode::from_raw_mode(0o755))?;
                open_in(root, &made)?
            }
            other => other?,
        };
    }
    Ok(directory)
}

/// A removed file is a 0:0 character device; an opaque directory has an attribute (kernel documentation, "Overlay
/// Filesystem"): the one that may be set in a user namespace, where the `trusted.` ones are nobody's.
fn white_out(parent: &OwnedFd, hidden: &[u8]) -> io::Result<()> {
    if hidden == b".wh..opq" {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = openat(parent, ".", flags, Mode::empty())?;
        return Ok(fsetxattr(&directory, OPAQUE, b"y", XattrFlags::empty())?);
    }
    let name = OsStr::from_bytes(hidden);
    if hidden.is_empty() || hidden == b"." || hidden == b".." {
        return Err(io::ErrorKind::InvalidData.into());
    }
    remove_at(parent, name)?;
    Ok(mknodat(parent, name, FileType::CharacterDevice, Mode::empty(), makedev(0, 0))?)
}

/// What came of an entry.
enum Made {
    Here,
    /// It cannot be made here, and need not be.
    LeftOut,
    Unknown,
}

/// Makes the entry in its parent, replacing what is there (a directory in place of a directory stays).
fn make<R: Read>(root: &OwnedFd, parent: &OwnedFd, name: &OsStr, entry: &mut Entry<'_, R>) -> io::Result<Made> {
    let kind = entry.header().entry_type();
    if kind.is_dir() {
        let there = rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)
            .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory);
        if !there {
            remove_at(parent, name)?;
            mkdirat(parent, name, Mode::from_raw_mode(0o700))?;
        }
        return Ok(Made::Here);
    }
    remove_at(parent, name)?;
    match kind {
        EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => write_file(parent, name, entry)?,
        EntryType::Symlink => symlinkat(link_name(entry)?.as_slice(), parent, name)?,
        EntryType::Link => link(root, parent, name, &link_name(entry)?)?,
        EntryType::Char | EntryType::Block | EntryType::Fifo => {
            return Ok(if make_node(parent, name, entry, kind)? { Made::Here } else { Made::LeftOut });
        }
        _ => return Ok(Made::Unknown),
    }
    Ok(Made::Here)
}

fn write_file<R: Read>(parent: &OwnedFd, name: &OsStr, entry: &mut Entry<'_, R>) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = File::from(openat(parent, name, flags, Mode::from_raw_mode(0o600))?);
    let (mut buffer, mut length) = (vec![0; 64 * 1024], 0_u64);
    loop {
        let count = entry.read(&mut buffer)?;
        let Some(part) = buffer.get(..count).filter(|part| !part.is_empty()) else { break };
        length += count as u64;
        // What is empty stays a hole: a few bytes of archive must not become megabytes on disk.
        if part.iter().all(|byte| *byte == 0) {
            file.seek(SeekFrom::Current(i64::try_from(count).unwrap_or(0)))?;
        } else {
            file.write_all(part)?;
        }
    }
    file.set_len(length)
}

fn link_name<R: Read>(entry: &Entry<'_, R>) -> io::Result<Vec<u8>> {
    entry.link_name_bytes().map(std::borrow::Cow::into_owned).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn link(root: &OwnedFd, parent: &OwnedFd, name: &OsStr, target: &[u8]) -> io::Result<()> {
    let target = Path::new(OsStr::from_bytes(target));
    let file = target.file_name().ok_or(io::ErrorKind::InvalidData)?;
    let directory = target.parent().unwrap_or(Path::new(""));
    let directory = open_in(root, directory.strip_prefix("/").unwrap_or(directory))?;
    Ok(linkat(&directory, file, parent, name, AtFlags::empty())?)
}

fn make_node<R: Read>(parent: &OwnedFd, name: &OsStr, entry: &Entry<'_, R>, kind: EntryType) -> io::Result<bool> {
    let header = entry.header();
    let device = makedev(header.device_major()?.unwrap_or(0), header.device_minor()?.unwrap_or(0));
    let (kind, device) = match kind {
        EntryType::Char => (FileType::CharacterDevice, device),
        EntryType::Block => (FileType::BlockDevice, device),
        _ => (FileType::Fifo, 0),
    };
    match mknodat(parent, name, kind, Mode::from_raw_mode(0o600), device) {
        // Nobody may make devices in a user namespace. An image gets on without them: a container's /dev is made anew.
        Err(Errno::PERM) if kind != FileType::Fifo && in_user_namespace() => Ok(false),
        made => Ok(made.map(|()| true)?),
    }
}

/// Whether this process has a part of the ids only: then nobody here may make devices.
fn in_user_namespace() -> bool {
    // "0 0 4294967295": all of them. What cannot be read is no reason to leave anything out.
    std::fs::read_to_string("/proc/self/uid_map").is_ok_and(|text| text.split_whitespace().ne(["0", "0", "4294967295"]))
}

/// Owner, mode and file capabilities.
fn own<R: Read>(parent: &OwnedFd, name: &OsStr, entry: &mut Entry<'_, R>, kind: EntryType) -> io::Result<()> {
    let id = |id: u64| u32::try_from(id).map_err(|_| io::Error::from(io::ErrorKind::InvalidData));
    let (uid, gid) = (id(entry.header().uid()?)?, id(entry.header().gid()?)?);
    match chownat(parent, name, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)), AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::INVAL) => {
            let text = format!("its owner {uid}:{gid} is not among the ids that this node has");
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        owned => owned?,
    }
    if kind == EntryType::Symlink {
        return Ok(());
    }
    // Neither a symbolic link: it was made just now, and nobody else writes here.
    chmodat(parent, name, Mode::from_raw_mode(entry.header().mode()? & 0o7777), AtFlags::empty())?;
    if kind != EntryType::Regular {
        return Ok(());
    }
    let capability = entry.pax_extensions()?.into_iter().flatten().flatten().find_map(|extension| {
        (extension.key_bytes() == b"SCHILY.xattr.security.capability").then(|| extension.value_bytes().to_vec())
    });
    if let Some(value) = capability {
        let file = openat(parent, name, OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
        fsetxattr(&file, "security.capability", &value, XattrFlags::empty())?;
    }
    Ok(())
}

fn set_time(root: &OwnedFd, path: &Path, seconds: i64) -> io::Result<()> {
    match path.file_name() {
        Some(name) => set_time_at(&open_in(root, path.parent().unwrap_or(Path::new("")))?, name, seconds),
        None => Ok(()),
    }
}

fn set_time_at(parent: &OwnedFd, name: &OsStr, seconds: i64) -> io::Result<()> {
    let time = Timespec { tv_sec: seconds, tv_nsec: 0 };
    let times = Timestamps { last_access: time, last_modification: time };
    Ok(utimensat(parent, name, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::fs;
    use std::os::unix::fs::{FileTypeExt, MetadataExt};
    use tar::{Builder, Header};

    struct Layer(Builder<Vec<u8>>);

    impl Layer {
        fn new() -> Self {
            Self(Builder::new(Vec::new()))
        }

        fn entry(mut self, kind: EntryType, path: &str, link: &str, data: &[u8]) -> Self {
            let mut header = Header::new_gnu();
            // Past the builder's own checks: hostile names are the point.
            header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
            header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
            header.set_entry_type(kind);
            header.set_mode(0o4755);
            header.set_uid(0);
            header.set_gid(0);
            header.set_mtime(1000);
            header.set_size(data.len() as u64);
            header.set_cksum();
            self.0.append(&header, data).unwrap();
            self
        }

        fn unpack(self, into: &Path) -> Result<u64, UnpackError> {
            unpack(self.0.into_inner().unwrap().as_slice(), into, 1 << 20)
        }
    }

    fn root() -> bool {
        let root = nix::unistd::geteuid().is_root();
        if !root {
            eprintln!("SKIPPED: needs root");
        }
        root
    }

    #[test]
    fn files_links_and_whiteouts_are_made() {
        if !root() {
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        Layer::new()
            .entry(EntryType::Directory, "bin/", "", b"")
            .entry(EntryType::Regular, "bin/tool", "", b"text")
            .entry(EntryType::Symlink, "bin/alias", "tool", b"")
            .entry(EntryType::Link, "bin/same", "bin/tool", b"")
            .entry(EntryType::Regular, "deep/er/file", "", b"x")
            .entry(EntryType::Regular, "etc/.wh.gone", "", b"")
            .entry(EntryType::Regular, "var/.wh..wh..opq", "", b"")
            .unpack(directory.path())
            .unwrap();
        let tool = fs::metadata(at("bin/tool")).unwrap();
        assert_eq!((tool.mode() & 0o7777, tool.mtime(), tool.nlink()), (0o4755, 1000, 2));
        assert_eq!(fs::read_link(at("bin/alias")).unwrap(), Path::new("tool"));
        assert_eq!(fs::metadata(at("bin")).unwrap().mtime(), 1000);
        let gone = fs::symlink_metadata(at("etc/gone")).unwrap();
        assert!(gone.file_type().is_char_device() && gone.rdev() == 0);
        let mut opaque = [0; 1];
        rustix::fs::getxattr(at("var"), OPAQUE, &mut opaque[..]).unwrap();
        assert_eq!(&opaque, b"y");
    }

    #[test]
    fn nothing_leads_out() {
        if !root() {
            return;
        }
        let base = tempfile::tempdir().unwrap();
        let outside = base.path().join("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("secret"), "kept").unwrap();
        let out = outside.to_str().unwrap();
        let secret = format!("{out}/secret");
        let cases = [
            Layer::new().entry(EntryType::Regular, "../outside/secret", "", b"bad"),
            Layer::new().entry(EntryType::Regular, "a/../../outside/secret", "", b"bad"),
            Layer::new().entry(EntryType::Regular, &secret, "", b"bad"),
            Layer::new().entry(EntryType::Symlink, "d", out, b"").entry(EntryType::Regular, "d/secret", "", b"bad"),
            Layer::new().entry(EntryType::Symlink, "d", "../outside", b"").entry(
                EntryType::Regular,
                "d/secret",
                "",
                b"bad",
            ),
            Layer::new().entry(EntryType::Symlink, "f", &secret, b"").entry(EntryType::Regular, "f", "", b"bad"),
            Layer::new().entry(EntryType::Link, "f", &secret, b"").entry(EntryType::Regular, "f", "", b"bad"),
            Layer::new().entry(EntryType::Link, "f", "../outside/secret", b""),
            Layer::new().entry(EntryType::Symlink, "d", out, b"").entry(EntryType::Regular, "d/.wh.secret", "", b""),
            Layer::new().entry(EntryType::Symlink, "d", out, b"").entry(EntryType::Directory, "d/", "", b""),
            Layer::new().entry(EntryType::Regular, ".wh...", "", b""),
        ];
        for (number, layer) in cases.into_iter().enumerate() {
            let directory = base.path().join(format!("layer-{number}"));
            fs::create_dir(&directory).unwrap();
            let result = layer.unpack(&directory);
            assert_eq!(fs::read_to_string(outside.join("secret")).unwrap(), "kept", "case {number}: {result:?}");
            let meta = fs::symlink_metadata(outside.join("secret")).unwrap();
            assert_eq!((meta.nlink(), meta.mode() & 0o4000), (1, 0), "case {number}");
            assert_eq!(fs::metadata(&outside).unwrap().mode() & 0o4000, 0, "case {number}");
        }
    }

    #[test]
    fn an_entry_replaces_what_was_there() {
        if !root() {
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        Layer::new()
            .entry(EntryType::Regular, "x/y/z", "", b"old")
            .entry(EntryType::Regular, "x", "", b"new")
            .unpack(directory.path())
            .unwrap();
        assert_eq!(fs::read(directory.path().join("x")).unwrap(), b"new");
    }

    /// An entry of GNU's sparse kind: `length` bytes, of which the archive holds none.
    fn sparse(length: u64) -> Vec<u8> {
        let mut header = Header::new_gnu();
        header.as_old_mut().name[0] = b's';
        header.set_entry_type(EntryType::GNUSparse);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(1);
        header.set_size(0);
        let gnu = header.as_gnu_mut().unwrap();
        gnu.realsize.copy_from_slice(format!("{length:011o}\0").as_bytes());
        gnu.sparse[0].offset.copy_from_slice(format!("{length:011o}\0").as_bytes());
        gnu.sparse[0].numbytes.copy_from_slice(b"00000000000\0");
        header.set_cksum();
        let mut archive = Builder::new(Vec::new());
        archive.append(&header, &[][..]).unwrap();
        archive.into_inner().unwrap()
    }

    #[test]
    fn an_entry_is_counted_by_what_it_becomes() {
        if !root() {
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        let archive = sparse(150 << 20);
        assert!(archive.len() < 2048);
        let refused = unpack(archive.as_slice(), directory.path(), 100 << 20).unwrap_err().to_string();
        assert!(refused.contains("larger unpacked than there is room for"), "{refused}");
        assert_eq!(unpack(archive.as_slice(), directory.path(), 200 << 20).unwrap(), (150 << 20) + ENTRY_COST);
        let file = fs::metadata(directory.path().join("s")).unwrap();
        assert_eq!(file.len(), 150 << 20);
        assert!(file.blocks() * 512 < 1 << 20, "{} bytes on disk", file.blocks() * 512);
        let many = (0..300).fold(Layer::new(), |layer, n| layer.entry(EntryType::Regular, &format!("f{n}"), "", b""));
        assert!(many.unpack(directory.path()).is_err(), "entries without content cost, too");
    }

    #[test]
    fn a_long_description_of_an_entry_is_refused_before_it_is_in_memory() {
        let directory = tempfile::tempdir().unwrap();
        for kind in [EntryType::GNULongName, EntryType::GNULongLink, EntryType::XHeader] {
            let mut header = Header::new_gnu();
            header.as_old_mut().name[0] = b'l';
            header.set_entry_type(kind);
            header.set_size(8 << 30);
            header.set_cksum();
            let endless = header.as_bytes().chain(io::repeat(b'a'));
            let refused = unpack(endless, directory.path(), 1 << 40).unwrap_err();
            assert!(refused.to_string().contains("too long"), "{refused}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn garbage_is_refused_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..4096)) {
            let directory = tempfile::tempdir().unwrap();
            let _ = unpack(bytes.as_slice(), directory.path(), 1 << 20);
        }
    }
}
