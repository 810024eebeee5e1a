//! A site's copy of the records that concern it.
//!
//! It lies in the site's own store under the same keys as in the Region's, beside what only the site
//! writes (see [`LOCAL_PREFIXES`]). The revision up to which the copy is complete is kept with it, in the same
//! transactions, so that a restarted site goes on where it was.

use std::collections::BTreeSet;

use bytes::Bytes;
use eksile_store::{Store, Txn, WriteError};
use serde::{Deserialize, Serialize};

/// Prefixes that belong to the site itself and that no message from the Region may touch.
pub const LOCAL_PREFIXES: [&str; 4] = ["/observed/", "/outbox/", "/replica/", "/local/"];

const STATE: &str = "/replica/state";

/// How far the copy has come.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Identity of the Region's store; empty before the first session.
    pub store: String,
    /// Last revision held completely.
    pub revision: u64,
}

/// Why the copy could not be changed.
#[derive(Debug, thiserror::Error)]
pub enum ReplicaError {
    /// The Region sent a key that is the site's own.
    #[error("the Region may not write {0}")]
    Foreign(String),
    /// The stored progress cannot be read.
    #[error("progress: {0}")]
    Progress(#[from] serde_json::Error),
    /// The store failed.
    #[error("store: {0}")]
    Store(String),
}

/// The copy, in a site's store.
#[derive(Clone)]
pub struct Replica {
    store: Store,
}

impl Replica {
    /// The replica that lies in `store`.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// How far it has come.
    ///
    /// # Errors
    /// When the stored progress cannot be read.
    pub fn progress(&self) -> Result<Progress, ReplicaError> {
        match self.store.view().get(STATE) {
            Some(entry) => Ok(serde_json::from_slice(&entry.value)?),
            None => Ok(Progress::default()),
        }
    }

    /// Applies one change of a record.
    ///
    /// # Errors
    /// When the key is not the Region's to write, or the store fails.
    pub async fn apply(&self, key: &str, value: Option<Bytes>) -> Result<(), ReplicaError> {
        refuse_local(key)?;
        self.write(|txn| {
            put_or_delete(txn, key, value);
            Ok(())
        })
        .await
    }

    /// Marks everything up to `revision` as held.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn complete(&self, progress: &Progress) -> Result<(), ReplicaError> {
        let state = Bytes::from(serde_json::to_vec(progress)?);
        self.write(|txn| {
            txn.put(STATE, state);
            Ok(())
        })
        .await
    }

    /// Replaces the whole copy in one transaction.
    ///
    /// # Errors
    /// When a key is not the Region's to write, or the store fails.
    pub async fn replace(&self, records: Vec<(String, Bytes)>, progress: &Progress) -> Result<(), ReplicaError> {
        for (key, _) in &records {
            refuse_local(key)?;
        }
        let state = Bytes::from(serde_json::to_vec(progress)?);
        self.write(|txn| {
            let kept: BTreeSet<&str> = records.iter().map(|(key, _)| key.as_str()).collect();
            for entry in txn.scan("/", None, usize::MAX) {
                if !is_local(&entry.key) && !kept.contains(&*entry.key) {
                    txn.delete(&entry.key);
                }
            }
            for (key, value) in &records {
                if txn.get(key).is_none_or(|entry| entry.value != *value) {
                    txn.put(key, value.clone());
                }
            }
            txn.put(STATE, state);
            Ok(())
        })
        .await
    }

    async fn write(&self, f: impl FnOnce(&mut Txn<'_>) -> Result<(), ReplicaError>) -> Result<(), ReplicaError> {
        match self.store.write(f).await {
            Ok(_) => Ok(()),
            Err(WriteError::Refused(error)) => Err(error),
            Err(WriteError::Failed(error)) => Err(ReplicaError::Store(error.to_string())),
        }
    }
}

fn is_local(key: &str) -> bool {
    LOCAL_PREFIXES.iter().any(|prefix| key.starts_with(prefix))
}

fn refuse_local(key: &str) -> Result<(), ReplicaError> {
    if is_local(key) || !key.starts_with('/') { Err(ReplicaError::Foreign(key.to_owned())) } else { Ok(()) }
}

fn put_or_delete(txn: &mut Txn<'_>, key: &str, value: Option<Bytes>) {
    match value {
        Some(value) => txn.put(key, value),
        None => {
            txn.delete(key);
        }
    }
}
