//! What a unit writes, kept in a file with times, as `journalctl -u` shows it.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use nix::fcntl::{FcntlArg, OFlag, fcntl};

use super::plain;

/// Where journals are, inside the instance.
pub(crate) const DIRECTORY: &str = "/var/log/journal";
/// Size after which a journal starts anew, keeping the one before.
const MOST: u64 = 8 << 20;
const LINE_MOST: usize = 48 * 1024;

/// The file of a unit.
pub(super) fn path(unit: &str) -> PathBuf {
    Path::new(DIRECTORY).join(unit).with_extension("log")
}

/// One line as the journal shows it.
pub(super) fn line(now: jiff::Timestamp, host: &str, unit: &str, pid: u32, text: &str) -> String {
    let host = host.split('.').next().unwrap_or(host);
    format!("{} {host} {unit}[{pid}]: {text}\n", now.strftime("%b %d %H:%M:%S"))
}

/// Appends to a unit's journal.
pub(super) fn append(unit: &str, text: &str) -> io::Result<()> {
    std::fs::create_dir_all(DIRECTORY)?;
    let path = path(unit);
    if path.metadata().is_ok_and(|meta| meta.len() > MOST) {
        std::fs::rename(&path, path.with_extension("log.1"))?;
    }
    plain::append(&path)?.write_all(text.as_bytes())
}

/// The output of a running unit on its way into the journal.
pub(super) struct Pipe {
    from: File,
    pending: Vec<u8>,
    ended: bool,
}

impl Pipe {
    /// Reads from a pipe's end, which becomes non-blocking.
    pub(super) fn new(from: io::PipeReader) -> io::Result<Self> {
        let flags = OFlag::from_bits_retain(fcntl(&from, FcntlArg::F_GETFL)?);
        fcntl(&from, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
        Ok(Self { from: File::from(std::os::fd::OwnedFd::from(from)), pending: Vec::new(), ended: false })
    }

    /// To wait on; none once it has ended.
    pub(super) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        (!self.ended).then(|| self.from.as_fd())
    }

    /// The whole lines that have come.
    pub(super) fn lines(&mut self) -> Vec<String> {
        let mut buffer = [0; 8192];
        loop {
            match self.from.read(&mut buffer) {
                Ok(0) => self.ended = true,
                Ok(count) => self.pending.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => self.ended = true,
            }
            if self.ended || self.pending.len() > LINE_MOST {
                break;
            }
        }
        let whole = if self.ended || self.pending.len() > LINE_MOST {
            self.pending.len()
        } else {
            self.pending.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1)
        };
        let text: Vec<u8> = self.pending.drain(..whole).collect();
        String::from_utf8_lossy(&text).lines().map(str::to_owned).collect()
    }
}
