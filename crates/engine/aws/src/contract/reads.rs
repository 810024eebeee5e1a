//! Reading records, whether from a view or inside a transaction.

use eksile_store::{Entry, Record, RecordError, Scope, Txn, View};

/// What views and transactions have in common.
pub trait Read {
    /// The entry at a key.
    fn get(&self, key: &str) -> Option<Entry>;
    /// Entries under a prefix, after a key, in order.
    fn scan(&self, prefix: &str, after: Option<&str>, limit: usize) -> Vec<Entry>;
}

impl Read for View {
    fn get(&self, key: &str) -> Option<Entry> {
        View::get(self, key)
    }

    fn scan(&self, prefix: &str, after: Option<&str>, limit: usize) -> Vec<Entry> {
        View::scan(self, prefix, after, limit)
    }
}

impl Read for Txn<'_> {
    fn get(&self, key: &str) -> Option<Entry> {
        Txn::get(self, key)
    }

    fn scan(&self, prefix: &str, after: Option<&str>, limit: usize) -> Vec<Entry> {
        Txn::scan(self, prefix, after, limit)
    }
}

/// Records, read from a view or a transaction: what functions take that commands and lookups share.
///
/// `fn vpc(state: Reads<'_>, …)` is called with `Reads::of(view)` or `Reads::of(txn)`.
#[derive(Clone, Copy)]
pub struct Reads<'a>(&'a dyn Read);

impl<'a> Reads<'a> {
    /// Reads from it.
    #[must_use]
    pub fn of(source: &'a dyn Read) -> Self {
        Self(source)
    }

    /// What is stored at a key.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<Entry> {
        self.0.get(key)
    }

    /// One record.
    ///
    /// # Errors
    /// What is stored there is not readable as `R`.
    pub fn record<R: Record>(&self, scope: &Scope, id: &str) -> Result<Option<R>, RecordError> {
        self.0.get(&scope.key::<R>(id)).map(|entry| entry.decode()).transpose()
    }

    /// Every `R` of a scope, by id.
    ///
    /// # Errors
    /// One of them is not readable as `R`.
    pub fn records<R: Record>(&self, scope: &Scope) -> Result<Vec<R>, RecordError> {
        self.0.scan(&scope.prefix::<R>(), None, usize::MAX).iter().map(Entry::decode).collect()
    }
}
