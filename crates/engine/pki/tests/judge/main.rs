//! Judged by `openssl`: what we issue it must accept, what it makes we must read.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should end")]

mod certificates;
mod garbage;
mod renewal;
mod requests;
mod tls;
mod tokens;

use std::{fs, path::PathBuf, process::Command};

use tempfile::TempDir;

/// A folder to run `openssl` in.
pub(crate) struct Judge {
    folder: TempDir,
}

impl Judge {
    pub(crate) fn new() -> Judge {
        Judge { folder: TempDir::new().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: &str) {
        fs::write(self.path(name), content).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Whether `openssl` succeeds, and what it says.
    pub(crate) fn ask(&self, arguments: &str) -> (bool, String) {
        let output = Command::new("openssl")
            .args(arguments.split(' '))
            .current_dir(self.folder.path())
            .output()
            .expect("openssl is installed");
        let text = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
        (output.status.success(), text)
    }

    /// What `openssl` says; it must succeed.
    pub(crate) fn hear(&self, arguments: &str) -> String {
        let (well, text) = self.ask(arguments);
        assert!(well, "openssl {arguments}: {text}");
        text
    }
}
