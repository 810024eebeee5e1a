//! Standard error for processes that live long: where it cannot be written (a full disk, a pipe that nobody reads any
//! more), what was to be said is lost, and nothing else. `eprintln!` panics there.

use std::io::{self, Write};

/// Standard error that never fails.
#[derive(Debug, Clone, Copy, Default)]
pub struct Stderr;

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // There is nobody left to be told.
        let _lost = io::stderr().lock().write_all(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Says one line.
pub fn say(line: &str) {
    let _lost = io::stderr().lock().write_all(format!("{line}\n").as_bytes());
}
