//! Whether a container's shim lives: it holds a record lock (fcntl(2)) on a file in the container's directory from before
//! the container exists until it dies, however it dies. The kernel lets go of the lock, and no copy of the process has it.
//!
//! Who holds the lock decides how the container ends: a shim that comes after the agent gave up starts nothing.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use eksile_base::files::PRIVATE;
use rustix::fs::{FlockOperation, fcntl_lock};
use rustix::io::Errno;

use super::protocol::files;

/// The lock. Closing *any* descriptor of the file lets go of it, so a process takes it once.
#[derive(Debug)]
pub(crate) struct Held(#[expect(dead_code, reason = "open as long as the lock is held")] File);

/// Takes the lock of the container in `directory`. None: another process has it.
///
/// # Errors
/// `NotFound` without that directory; what else the system says, which tells nothing of a shim.
pub(crate) fn take(directory: &Path) -> io::Result<Option<Held>> {
    let path = directory.join(files::LIFE);
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(PRIVATE).open(path)?;
    match fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(Held(file))),
        Err(Errno::AGAIN | Errno::ACCESS) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
