//! The CRI log format: `TIME STREAM TAG LINE`, TAG being `F` for a full line and `P` for a part of one.
//!
//! Source: Kubernetes design proposal "CRI: Log management for container stdout/stderr streams".

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, Mode, OFlags, openat, renameat, unlinkat};
use rustix::io::Errno;

use crate::beneath;

/// Longest line written as one record; longer lines become parts (as containerd's `max_container_log_line_size`).
pub const LINE_MAX: usize = 16 * 1024;

/// Which of the container's two outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    fn name(self) -> &'static [u8] {
        match self {
            Stream::Stdout => b"stdout",
            Stream::Stderr => b"stderr",
        }
    }
}

/// Cuts a byte stream into log records.
#[derive(Debug)]
pub struct Lines {
    stream: Stream,
    pending: Vec<u8>,
}

impl Lines {
    /// An empty stream.
    #[must_use]
    pub fn new(stream: Stream) -> Self {
        Self { stream, pending: Vec::new() }
    }

    /// Appends to `out` the records that `data` completes.
    pub fn push(&mut self, data: &[u8], now: jiff::Timestamp, out: &mut Vec<u8>) {
        let mut rest = data;
        while !rest.is_empty() {
            let room = LINE_MAX - self.pending.len();
            let window = &rest[..rest.len().min(room)];
            if let Some(end) = window.iter().position(|byte| *byte == b'\n') {
                self.record(&window[..end], b'F', now, out);
                rest = &rest[end + 1..];
            } else if window.len() == room {
                self.record(window, b'P', now, out);
                rest = &rest[room..];
            } else {
                self.pending.extend_from_slice(window);
                rest = &[];
            }
        }
    }

    /// Writes what is left of a stream that ended without a newline.
    pub fn finish(&mut self, now: jiff::Timestamp, out: &mut Vec<u8>) {
        if !self.pending.is_empty() {
            self.record(b"", b'P', now, out);
        }
    }

    fn record(&mut self, tail: &[u8], tag: u8, now: jiff::Timestamp, out: &mut Vec<u8>) {
        // Writing to a Vec cannot fail.
        let _ = write!(out, "{now:.9} ");
        out.extend_from_slice(self.stream.name());
        out.extend_from_slice(&[b' ', tag, b' ']);
        out.append(&mut self.pending);
        out.extend_from_slice(tail);
        out.push(b'\n');
    }
}

/// The file behind the records, rotated by size.
#[derive(Debug)]
pub struct LogFile {
    directory: OwnedFd,
    name: OsString,
    file: File,
    written: u64,
    max_bytes: u64,
    keep: u32,
}

impl LogFile {
    /// Opens for appending, making the directories between `root` and it if missing. `max_bytes` 0 means no rotation.
    ///
    /// Pods may have the place where logs are: a link there is not followed, and what is no file is not written to.
    ///
    /// # Errors
    /// What the file system says.
    pub fn open(root: &Path, path: &Path, max_bytes: u64, keep: u32) -> io::Result<Self> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        std::fs::create_dir_all(root)?;
        let directory = beneath::plain_directory(root, parent)?;
        let file = append(&directory, name)?;
        let written = file.metadata()?.len();
        Ok(Self { directory, name: name.to_owned(), file, written, max_bytes, keep })
    }

    /// Appends whole records, rotating first when the file is full.
    ///
    /// # Errors
    /// What the file system says.
    pub fn append(&mut self, records: &[u8]) -> io::Result<()> {
        if self.max_bytes > 0 && self.written >= self.max_bytes {
            self.rotate()?;
        }
        self.file.write_all(records)?;
        self.written += records.len() as u64;
        Ok(())
    }

    /// `0.log` becomes `0.log.1`, that one `0.log.2`, and so on; the oldest goes.
    fn rotate(&mut self) -> io::Result<()> {
        let numbered = |number: u32| {
            let mut name = self.name.clone();
            name.push(format!(".{number}"));
            name
        };
        for number in (1..self.keep).rev() {
            self.rename_if_there(&numbered(number), &numbered(number + 1))?;
        }
        if self.keep > 0 {
            self.rename_if_there(&self.name, &numbered(1))?;
        } else {
            unlinkat(&self.directory, &self.name, AtFlags::empty())?;
        }
        self.file = append(&self.directory, &self.name)?;
        self.written = 0;
        Ok(())
    }

    fn rename_if_there(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        match renameat(&self.directory, from, &self.directory, to) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

fn append(directory: &OwnedFd, name: &OsStr) -> io::Result<File> {
    let flags = OFlags::WRONLY
        | OFlags::CREATE
        | OFlags::APPEND
        | OFlags::NOFOLLOW
        | OFlags::NONBLOCK
        | OFlags::NOCTTY
        | OFlags::CLOEXEC;
    beneath::regular(openat(directory, name, flags, Mode::from_raw_mode(0o640))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: jiff::Timestamp = jiff::Timestamp::UNIX_EPOCH;
    const HEAD: &str = "1970-01-01T00:00:00.000000000Z stdout";

    fn write(chunks: &[&[u8]]) -> String {
        let mut lines = Lines::new(Stream::Stdout);
        let mut out = Vec::new();
        for chunk in chunks {
            lines.push(chunk, NOW, &mut out);
        }
        lines.finish(NOW, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn lines_are_whole_however_they_arrive() {
        let whole = format!("{HEAD} F one\n{HEAD} F two\n");
        assert_eq!(write(&[b"one\ntwo\n"]), whole);
        assert_eq!(write(&[b"o", b"ne\nt", b"wo", b"\n"]), whole);
        assert_eq!(write(&[b"no newline"]), format!("{HEAD} P no newline\n"));
        assert_eq!(write(&[b"\n"]), format!("{HEAD} F \n"));
    }

    #[test]
    fn a_long_line_becomes_parts() {
        let long = vec![b'x'; LINE_MAX + 3];
        let text = write(&[&long, b"\n"]);
        let mut records = text.lines();
        let first = records.next().unwrap();
        assert_eq!(first.len(), HEAD.len() + 3 + LINE_MAX);
        assert!(first.starts_with(&format!("{HEAD} P ")));
        assert_eq!(records.next(), Some(format!("{HEAD} F xxx").as_str()));
    }

    proptest! {
        #[test]
        fn nothing_is_lost(chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..9000), 0..8)) {
            let mut lines = Lines::new(Stream::Stderr);
            let mut out = Vec::new();
            for chunk in &chunks {
                lines.push(chunk, NOW, &mut out);
            }
            lines.finish(NOW, &mut out);
            let head = "1970-01-01T00:00:00.000000000Z stderr X ".len();
            let mut back = Vec::new();
            for record in out.split_inclusive(|byte| *byte == b'\n') {
                let full = record[head - 2] == b'F';
                back.extend_from_slice(&record[head..record.len() - usize::from(!full)]);
            }
            prop_assert_eq!(back, chunks.concat());
        }
    }

    #[test]
    fn a_full_file_is_rotated_and_old_ones_go() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pods/0.log");
        let mut log = LogFile::open(directory.path(), &path, 10, 2).unwrap();
        for record in ["first-record\n", "second-record\n", "third-record\n", "fourth\n"] {
            log.append(record.as_bytes()).unwrap();
        }
        let read = |name: &str| std::fs::read_to_string(path.with_file_name(name)).unwrap();
        assert_eq!(read("0.log"), "fourth\n");
        assert_eq!(read("0.log.1"), "third-record\n");
        assert_eq!(read("0.log.2"), "second-record\n");
        assert!(!path.with_file_name("0.log.3").exists());
    }

    #[test]
    fn a_log_is_not_written_through_a_link_nor_into_a_pipe() {
        let directory = tempfile::tempdir().unwrap();
        let (logs, outside) = (directory.path().join("logs"), directory.path().join("outside"));
        std::fs::create_dir_all(logs.join("real")).unwrap();
        std::fs::create_dir(&outside).unwrap();
        std::os::unix::fs::symlink(&outside, logs.join("way")).unwrap();
        std::os::unix::fs::symlink(outside.join("file"), logs.join("real/link")).unwrap();
        let fifo = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(rustix::fs::CWD, logs.join("real/fifo"), fifo, 0o666.into(), 0).unwrap();
        for name in ["way/0.log", "real/link", "real/fifo", "../outside/0.log"] {
            assert!(LogFile::open(&logs, &logs.join(name), 10, 2).is_err(), "{name}");
        }
        let mut log = LogFile::open(&logs, &logs.join("real/0.log"), 10, 1).unwrap();
        log.append(b"first-record\n").unwrap();
        // Exchanged while it is written: the descriptor stays where it was.
        std::fs::rename(logs.join("real"), logs.join("moved")).unwrap();
        std::os::unix::fs::symlink(&outside, logs.join("real")).unwrap();
        log.append(b"second\n").unwrap();
        assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0);
        assert_eq!(std::fs::read_to_string(logs.join("moved/0.log")).unwrap(), "second\n");
    }
}
