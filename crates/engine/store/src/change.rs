use std::{fmt, sync::Arc};

use bytes::Bytes;

/// The number of a commit; the store's first is 1, and 0 is the empty store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Revision(pub u64);

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A key and what is stored there. Cloning shares the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: Arc<str>,
    /// What was put.
    pub value: Bytes,
    /// The commit since which the key has existed.
    pub created: Revision,
    /// The commit that put this value.
    pub modified: Revision,
    /// How often it was put since it was created; the first is 1.
    pub version: u64,
}

/// One key's change in one commit. A commit changes a key at most once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The commit.
    pub revision: Revision,
    /// The key.
    pub key: Arc<str>,
    /// What was put; `None` when the key was deleted.
    pub value: Option<Bytes>,
    /// What was there before; `None` when the key was created.
    pub previous: Option<Entry>,
}
