//! What the container writes, on its way from pipes (or a terminal) into the log.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::fcntl::{FcntlArg, OFlag, fcntl};

use super::logfile::{Lines, LogFile, Stream};

/// Most bytes taken from one pipe before others have their turn.
const TURN: usize = 256 * 1024;

/// One source of output.
pub(super) struct Source {
    from: std::fs::File,
    lines: Lines,
    ended: bool,
}

impl Source {
    /// Reads from `fd`, which becomes non-blocking.
    pub(super) fn new(fd: OwnedFd, stream: Stream) -> io::Result<Self> {
        let flags = OFlag::from_bits_retain(fcntl(&fd, FcntlArg::F_GETFL)?);
        fcntl(&fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
        Ok(Self { from: fd.into(), lines: Lines::new(stream), ended: false })
    }

    /// To wait on; none once it has ended.
    pub(super) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        (!self.ended).then(|| self.from.as_fd())
    }

    /// The open file, for a terminal's size.
    pub(super) fn file(&self) -> BorrowedFd<'_> {
        self.from.as_fd()
    }

    /// Moves what is there into the log. A log that cannot be written loses output, not the container.
    pub(super) fn pump(&mut self, log: &mut LogFile, buffer: &mut [u8], records: &mut Vec<u8>) {
        let mut taken = 0;
        while !self.ended && taken < TURN {
            match self.from.read(buffer) {
                Ok(0) => self.ended = true,
                Ok(count) => {
                    taken += count;
                    self.lines.push(&buffer[..count], jiff::Timestamp::now(), records);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // EIO: the last process has closed its side of the terminal.
                Err(_) => self.ended = true,
            }
        }
        if self.ended {
            self.lines.finish(jiff::Timestamp::now(), records);
        }
        if !records.is_empty() {
            if let Err(error) = log.append(records) {
                tracing::warn!(%error, "output lost");
            }
            records.clear();
        }
    }
}
