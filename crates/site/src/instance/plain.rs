//! Files of the instance's disk, opened so that nothing else in their place holds who opens them: a pipe that nobody
//! reads, a device, a text without end.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::libc;

/// Largest file that is read whole.
const MOST: u64 = 1 << 20;

fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let file = options.custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(odd(path)) }
}

fn odd(path: &Path) -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, format!("{} is not a regular file", path.display()))
}

/// Opens a file to append to, which is made where it is missing.
pub(super) fn append(path: &Path) -> io::Result<File> {
    open(path, OpenOptions::new().create(true).append(true))
}

/// As [`append`]; a link, a pipe or a device in its place makes way for it.
pub(super) fn append_at(path: &Path) -> io::Result<File> {
    match std::fs::symlink_metadata(path) {
        Ok(there) if !there.is_file() => std::fs::remove_file(path)?,
        _ => {}
    }
    append(path)
}

/// Reads a file whole; a large one is an error.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    open(path, OpenOptions::new().read(true))?.take(MOST + 1).read_to_end(&mut text)?;
    if text.len() as u64 > MOST {
        return Err(io::Error::new(ErrorKind::FileTooLarge, format!("{} is larger than {MOST} bytes", path.display())));
    }
    Ok(text)
}

/// Writes a file whole.
pub(super) fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = open(path, OpenOptions::new().create(true).write(true))?;
    file.set_len(0)?;
    file.write_all(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_files_is_opened_and_nothing_waits() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        nix::unistd::mkfifo(&at("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        std::os::unix::fs::symlink("/dev/zero", at("zero")).unwrap();
        for name in ["pipe", "zero", "."] {
            assert!(
                append(&at(name)).is_err() && read(&at(name)).is_err() && write(&at(name), b"x").is_err(),
                "{name}"
            );
        }
        for name in ["pipe", "zero"] {
            append_at(&at(name)).unwrap().write_all(b"x").unwrap();
            assert_eq!(read(&at(name)).unwrap(), b"x");
        }
        write(&at("pipe"), b"other").unwrap();
        assert_eq!(read(&at("pipe")).unwrap(), b"other");
        File::create(at("huge")).unwrap().set_len(1 << 40).unwrap();
        assert_eq!(read(&at("huge")).unwrap_err().kind(), ErrorKind::FileTooLarge);
    }
}
