use std::{io, sync::Arc};

use crate::{KeyError, Revision};

/// A store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Its folder or files cannot be made or read.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// Another process has it open.
    #[error("another process has it open")]
    InUse,
    /// SQLite says no.
    #[error("sqlite: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// A later release made it.
    #[error("format {found}, this release reads up to {known}")]
    Newer {
        /// The file's.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// The file contradicts itself.
    #[error("damaged: {0}")]
    Damaged(String),
}

impl OpenError {
    /// Whether opening it again would end the same way: the file itself is wrong.
    #[must_use]
    pub fn is_final(&self) -> bool {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        match self {
            Self::Damaged(_) | Self::Newer { .. } => true,
            Self::Sqlite(rusqlite::Error::SqliteFailure(failure, _)) => {
                matches!(failure.code, DatabaseCorrupt | NotADatabase)
            }
            // A row that is not what the table says.
            Self::Sqlite(error) => !matches!(error, rusqlite::Error::SqliteFailure(..)),
            Self::Io(_) | Self::InUse => false,
        }
    }
}

/// A view or a watch cannot be had at that revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ViewError {
    /// That far back is forgotten.
    #[error("revision compacted, the oldest is {oldest}")]
    Compacted {
        /// The oldest that can be had.
        oldest: Revision,
    },
    /// Not yet reached.
    #[error("revision in the future, the current is {current}")]
    Future {
        /// The current one.
        current: Revision,
    },
}

/// The store cannot make changes durable; what was published can still be read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The disk refused a batch, and no more are taken. Whether that batch survives is known after the next start.
    #[error("cannot make changes durable: {0}")]
    Disk(Arc<rusqlite::Error>),
    /// The disk refused a batch and has nothing of it: it is full, say, or read-only. Later writes may succeed.
    #[error("cannot write: {0}")]
    Unwritten(Arc<rusqlite::Error>),
    /// The store was closed.
    #[error("closed")]
    Closed,
}

/// A write that did not happen.
#[derive(Debug, thiserror::Error)]
pub enum WriteError<E> {
    /// The closure's own error. Nothing was changed.
    #[error("{0}")]
    Refused(E),
    /// The store's.
    #[error(transparent)]
    Failed(StoreError),
}

/// A watch ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WatchError {
    /// Its reader was too slow; list again and watch from there.
    #[error("the reader was too slow")]
    Compacted,
    /// The store was closed.
    #[error("closed")]
    Closed,
}

/// A stored record cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Not the JSON of this kind.
    #[error("{key}: {source}")]
    Json {
        /// Where.
        key: String,
        /// Why.
        source: serde_json::Error,
    },
    /// A later release wrote it.
    #[error("{key}: version {found}, this release reads up to {known}")]
    Newer {
        /// Where.
        key: String,
        /// The record's.
        found: u32,
        /// Ours.
        known: u32,
    },
    /// An earlier release wrote it, and it cannot be brought up.
    #[error("{key}: {reason}")]
    Migration {
        /// Where.
        key: String,
        /// Why.
        reason: String,
    },
    /// Not a record's key.
    #[error(transparent)]
    Key(#[from] KeyError),
}
