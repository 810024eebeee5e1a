//! A log file read record by record, also while it grows and is rotated. Nothing here waits: a follower is a file and a
//! few variables, not a thread.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::beneath;

/// Bytes looked at in one go.
const CHUNK: u64 = 32 * 1024;
/// Longest record: the shim cuts lines at 16 KiB. What is longer is nobody's record.
const RECORD_MAX: usize = 64 * 1024;
/// Rotated files that may be there, and one more that is just being made.
const ROTATED: u32 = 6;

/// A place in a log.
pub(super) struct Reader {
    root: PathBuf,
    path: PathBuf,
    file: File,
    /// Read, but not whole yet.
    rest: Vec<u8>,
    /// What was written after `file`, which is rotated and read to its end first.
    next: Option<File>,
}

impl Reader {
    /// The beginning of a log, or with `tail` its last records.
    pub(super) fn open(root: &Path, path: &Path, tail: Option<usize>) -> io::Result<Self> {
        let mut file = beneath::plain_file(root, path)?;
        if let Some(records) = tail {
            let start = start_of_last(&file, records)?;
            file.seek(SeekFrom::Start(start))?;
        }
        Ok(Self { root: root.to_owned(), path: path.to_owned(), file, rest: Vec::new(), next: None })
    }

    /// Some more records, each with its newline; nothing when there are none yet.
    pub(super) fn records(&mut self) -> io::Result<Vec<u8>> {
        loop {
            let count = Read::by_ref(&mut self.file).take(CHUNK).read_to_end(&mut self.rest)?;
            if let Some(end) = self.rest.iter().rposition(|byte| *byte == b'\n') {
                let rest = self.rest.split_off(end + 1);
                return Ok(std::mem::replace(&mut self.rest, rest));
            }
            if self.rest.len() > RECORD_MAX {
                self.rest.clear();
            }
            if count > 0 {
                continue;
            }
            match self.next.take() {
                Some(next) => {
                    self.rest.clear();
                    self.file = next;
                }
                None => return Ok(Vec::new()),
            }
        }
    }

    /// Whether the file was rotated and something was written after it: then there may be more.
    pub(super) fn rotated(&mut self) -> io::Result<bool> {
        let own = self.file.metadata()?.ino();
        let Some(base) = self.look(0)? else { return Ok(false) };
        if base.metadata()?.ino() == own {
            return Ok(false);
        }
        let mut oldest = base;
        let mut newer = Some(0);
        for number in 1..=ROTATED {
            let Some(file) = self.look(number)? else {
                newer = None;
                continue;
            };
            if file.metadata()?.ino() == own {
                // Files move while this looks; where the next one is not in its place, the next look finds it.
                self.next = newer.map(|newer| self.look(newer)).transpose()?.flatten();
                return Ok(self.next.is_some());
            }
            (oldest, newer) = (file, Some(number));
        }
        // Removed before it was followed: some is lost, and it goes on with the oldest that is there.
        self.next = Some(oldest);
        Ok(true)
    }

    fn look(&self, number: u32) -> io::Result<Option<File>> {
        let mut name = self.path.clone().into_os_string();
        if number > 0 {
            name.push(format!(".{number}"));
        }
        match beneath::plain_file(&self.root, Path::new(&name)) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Where the last `records` of a file begin, found from its end.
fn start_of_last(mut file: &File, records: usize) -> io::Result<u64> {
    let mut end = file.metadata()?.len();
    let mut found = 0;
    let mut block = Vec::new();
    while end > 0 {
        let start = end.saturating_sub(CHUNK);
        file.seek(SeekFrom::Start(start))?;
        block.clear();
        file.take(end - start).read_to_end(&mut block)?;
        for (index, _) in block.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n') {
            if found == records {
                return Ok(start + index as u64 + 1);
            }
            found += 1;
        }
        end = start;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shim::logfile::LogFile;
    use std::fs;

    fn all(reader: &mut Reader) -> Vec<u8> {
        let mut said = Vec::new();
        loop {
            let records = reader.records().unwrap();
            if records.is_empty() && !reader.rotated().unwrap() {
                return said;
            }
            said.extend(records);
        }
    }

    #[test]
    fn nothing_is_lost_over_rotations() {
        let logs = tempfile::tempdir().unwrap();
        let path = logs.path().join("0.log");
        let mut log = LogFile::open(logs.path(), &path, 200, 4).unwrap();
        log.append(b"begin\n").unwrap();
        let mut reader = Reader::open(logs.path(), &path, None).unwrap();
        let (mut said, mut wanted) = (all(&mut reader), b"begin\n".to_vec());
        for number in 0..400 {
            let record = format!("{number} {}\n", "x".repeat(number % 50));
            log.append(record.as_bytes()).unwrap();
            wanted.extend(record.as_bytes());
            // Looked at now and then only: up to three rotations lie between two looks.
            if number % 17 == 0 {
                said.extend(all(&mut reader));
            }
        }
        said.extend(all(&mut reader));
        assert_eq!(String::from_utf8(said).unwrap(), String::from_utf8(wanted).unwrap());
    }

    #[test]
    fn the_last_records_are_found_from_the_end() {
        let logs = tempfile::tempdir().unwrap();
        let path = logs.path().join("0.log");
        let records: Vec<String> = (0..5000).map(|n| format!("{n} {}\n", "y".repeat(n % 40))).collect();
        fs::write(&path, records.concat()).unwrap();
        for (wanted, from) in [(0, 5000), (1, 4999), (3000, 2000), (5000, 0), (9999, 0)] {
            let mut reader = Reader::open(logs.path(), &path, Some(wanted)).unwrap();
            assert_eq!(all(&mut reader), records[from..].concat().into_bytes(), "{wanted}");
        }
    }

    #[test]
    fn half_a_record_waits_and_an_endless_one_is_dropped() {
        let logs = tempfile::tempdir().unwrap();
        let path = logs.path().join("0.log");
        fs::write(&path, "whole\nhal").unwrap();
        let mut reader = Reader::open(logs.path(), &path, None).unwrap();
        assert_eq!(reader.records().unwrap(), b"whole\n");
        assert_eq!(reader.records().unwrap(), b"");
        fs::write(&path, "whole\nhalf\n").unwrap();
        assert_eq!(reader.records().unwrap(), b"half\n");
        fs::write(&path, vec![b'z'; 1 << 20]).unwrap();
        let mut reader = Reader::open(logs.path(), &path, None).unwrap();
        assert_eq!(reader.records().unwrap(), b"");
        assert!(reader.rest.len() <= RECORD_MAX);
    }
}
