//! What a site has observed and the Region has not yet taken.
//!
//! An observation and its place in the outbox are written in one transaction; the entry goes when the
//! Region says that the report is durable there. Numbers only grow, so that a report sent twice is taken once.

use bytes::Bytes;
use eksile_store::{Record, RecordError, Scope, Store, WriteError};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Prefix of the entries.
pub const PREFIX: &str = "/outbox/entry/";
const NEXT: &str = "/outbox/next";

/// One report.
#[derive(Debug, Serialize, Deserialize)]
pub struct Entry {
    /// From 1, without gaps when written.
    pub seq: u64,
    /// Key of the record in both stores.
    pub key: String,
    /// Stored form; absent when the observation ended.
    pub value: Option<Box<RawValue>>,
}

/// Why an observation could not be written.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// A record or an entry cannot be read or written.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// An entry cannot be read or written.
    #[error("entry: {0}")]
    Entry(#[from] serde_json::Error),
    /// The store failed.
    #[error("store: {0}")]
    Store(String),
}

/// The outbox in a site's store.
#[derive(Clone)]
pub struct Outbox {
    store: Store,
    site: String,
}

impl Outbox {
    /// The outbox of `site`, in its store.
    #[must_use]
    pub fn new(store: Store, site: impl Into<String>) -> Self {
        Self { store, site: site.into() }
    }

    /// Where this site's observations lie, in its own store and in the Region's.
    #[must_use]
    pub fn scope(&self) -> Scope {
        Scope { account: "observed".to_owned(), region: self.site.clone() }
    }

    /// The current observation of a kind, if there is one.
    ///
    /// # Errors
    /// When the record cannot be read.
    pub fn observed<R: Record>(&self, id: &str) -> Result<Option<R>, RecordError> {
        self.store.view().record(&self.scope(), id)
    }

    /// Writes an observation and queues it, unless it says what is already known.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn report<R: Record + PartialEq>(&self, observation: &R) -> Result<(), OutboxError> {
        let scope = self.scope();
        let key = scope.key::<R>(observation.id());
        let written = self.store.write(|txn| {
            if txn.record::<R>(&scope, observation.id())?.as_ref() == Some(observation) {
                return Ok(());
            }
            txn.put_record(&scope, observation)?;
            let Some(stored) = txn.get(&key) else { return Ok(()) };
            let seq = match txn.get(NEXT) {
                Some(entry) => serde_json::from_slice::<u64>(&entry.value)?,
                None => 1,
            };
            let entry = Entry { seq, key, value: Some(serde_json::from_slice(&stored.value)?) };
            txn.put(&format!("{PREFIX}{seq:020}"), Bytes::from(serde_json::to_vec(&entry)?));
            txn.put(NEXT, Bytes::from((seq + 1).to_string()));
            Ok::<_, OutboxError>(())
        });
        flatten(written.await)
    }

    /// Entries after `seq`, oldest first, at most `limit`.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn after(&self, seq: u64, limit: usize) -> Result<Vec<Entry>, OutboxError> {
        let after = format!("{PREFIX}{seq:020}");
        let entries = self.store.view().scan(PREFIX, Some(&after), limit);
        entries.iter().map(|entry| Ok(serde_json::from_slice(&entry.value)?)).collect()
    }

    /// How many reports wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.store.view().count(PREFIX)
    }

    /// Drops every entry up to and with `seq`: the Region has them.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn taken(&self, seq: u64) -> Result<(), OutboxError> {
        let written = self.store.write(|txn| {
            let last = format!("{PREFIX}{seq:020}");
            for entry in txn.scan(PREFIX, None, usize::MAX) {
                if *entry.key > *last {
                    break;
                }
                txn.delete(&entry.key);
            }
            Ok::<_, OutboxError>(())
        });
        flatten(written.await)
    }
}

fn flatten<T>(result: Result<eksile_store::Committed<T>, WriteError<OutboxError>>) -> Result<T, OutboxError> {
    match result {
        Ok(committed) => Ok(committed.value),
        Err(WriteError::Refused(error)) => Err(error),
        Err(WriteError::Failed(error)) => Err(OutboxError::Store(error.to_string())),
    }
}
