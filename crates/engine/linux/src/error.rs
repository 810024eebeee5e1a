use std::io;

use nix::libc;

/// What the kernel, or a program that speaks to it, refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A system call failed.
    #[error("{what}: {source}")]
    System {
        /// What was attempted, with its object.
        what: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// A program ended with an error.
    #[error("{program}: {message}")]
    Program {
        /// Which one.
        program: &'static str,
        /// What it wrote on standard error.
        message: String,
    },
    /// The kernel's answer, or a file, was not understood.
    #[error("{0}: malformed")]
    Malformed(String),
}

impl Error {
    /// For `map_err`: says what was attempted.
    pub fn at<E: Into<io::Error>>(what: impl Into<String>) -> impl FnOnce(E) -> Self {
        let what = what.into();
        move |source| Self::System { what, source: source.into() }
    }

    /// The error number (errno(3)), when a system call failed.
    #[must_use]
    pub fn errno(&self) -> Option<i32> {
        match self {
            Self::System { source, .. } => source.raw_os_error(),
            _ => None,
        }
    }

    /// Whether the object does not exist.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        matches!(self.errno(), Some(libc::ENOENT | libc::ENODEV | libc::ESRCH | libc::EADDRNOTAVAIL))
    }

    /// Whether the object exists already.
    #[must_use]
    pub fn is_present(&self) -> bool {
        self.errno() == Some(libc::EEXIST)
    }
}
