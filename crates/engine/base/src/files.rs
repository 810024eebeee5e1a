//! Small files that a crash must not leave half written, or that others must not read.

use std::{
    ffi::OsString,
    fs::{File, OpenOptions, Permissions},
    io::{self, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

/// For the owner only.
pub const PRIVATE: u32 = 0o600;
/// For everybody to read.
pub const PUBLIC: u32 = 0o644;

/// Writes a file whole or not at all, and on disk when this returns. It is written beside its place, as `NAME.new`,
/// in the same folder, which must be there.
///
/// # Errors
/// What the system said; then the file is as before.
pub fn replace(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let beside = beside(path);
    write(&beside, content, mode)?.sync_all()?;
    std::fs::rename(&beside, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

/// Writes a file for its owner only, in place: for what is written once, before anybody reads it.
///
/// # Errors
/// What the system said; then part of it may be written.
pub fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    write(path, content, PRIVATE).map(drop)
}

fn write(path: &Path, content: &[u8], mode: u32) -> io::Result<File> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(path)?;
    // One of an earlier attempt keeps the mode that it has, and a new one's is what the umask leaves.
    file.set_permissions(Permissions::from_mode(mode))?;
    file.write_all(content)?;
    Ok(file)
}

fn beside(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".new");
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_replaced_has_the_mode_asked_for_and_nothing_stays_beside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.key");
        std::fs::write(beside(&path), "left by a crash, and longer").unwrap();
        for (content, mode) in [("one", PUBLIC), ("other", PRIVATE)] {
            replace(&path, content.as_bytes(), mode).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), content);
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, mode);
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(replace(&folder.path().join("missing/ca.key"), b"", PRIVATE).is_err());
    }
}
