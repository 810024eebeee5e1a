use std::{
    collections::{BTreeMap, btree_map},
    sync::Arc,
};

use bytes::Bytes;
use parking_lot::RwLock;

use crate::{Change, Entry, Revision, index::Index};

/// A transaction in the making: sees everything staged before it and its own puts and deletes.
///
/// It runs alone, so it must be short: no input or output, no waiting, no other [`write`](crate::Store::write).
#[derive(Debug)]
pub struct Txn<'a> {
    index: &'a RwLock<Index>,
    revision: Revision,
    staged: BTreeMap<Arc<str>, Staged>,
}

/// One key as this transaction leaves it.
#[derive(Debug)]
struct Staged {
    /// What was there before the transaction.
    previous: Option<Entry>,
    /// What is there now.
    entry: Option<Entry>,
}

impl<'a> Txn<'a> {
    pub(crate) fn new(index: &'a RwLock<Index>, revision: Revision) -> Txn<'a> {
        Txn { index, revision, staged: BTreeMap::new() }
    }

    /// The revision that this transaction will have, if it changes anything.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// What `key` holds now.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Entry> {
        match self.staged.get(key) {
            Some(staged) => staged.entry.clone(),
            None => self.index.read().get(key, self.revision),
        }
    }

    /// Up to `limit` entries whose keys begin with `prefix` and come after `after_key`, in key order.
    #[must_use]
    pub fn scan(&self, prefix: &str, after_key: Option<&str>, limit: usize) -> Vec<Entry> {
        let index = self.index.read();
        let mut base = index.range(prefix, after_key, self.revision).peekable();
        let mut own = self
            .staged
            .iter()
            .filter(|(key, _)| key.starts_with(prefix) && after_key.is_none_or(|after| &***key > after))
            .peekable();
        let mut out = Vec::new();
        while out.len() < limit {
            let own_first = match (base.peek(), own.peek()) {
                (None, None) => break,
                (Some(_), None) => false,
                (None, Some(_)) => true,
                (Some(entry), Some((key, _))) => **key <= entry.key,
            };
            if !own_first {
                out.extend(base.next());
                continue;
            }
            if let Some((key, staged)) = own.next() {
                base.next_if(|entry| entry.key == *key);
                out.extend(staged.entry.clone());
            }
        }
        out
    }

    /// How many keys begin with `prefix`.
    #[must_use]
    pub fn count(&self, prefix: &str) -> usize {
        let mut count = self.index.read().count(prefix, None, self.revision);
        for (_, staged) in self.staged.iter().filter(|(key, _)| key.starts_with(prefix)) {
            count += usize::from(staged.entry.is_some());
            count -= usize::from(staged.previous.is_some());
        }
        count
    }

    /// Puts `value` at `key`.
    pub fn put(&mut self, key: &str, value: impl Into<Bytes>) {
        let now = self.get(key);
        let entry = Entry {
            key: self.shared_key(key, now.as_ref()),
            value: value.into(),
            created: now.as_ref().map_or(self.revision, |entry| entry.created),
            modified: self.revision,
            // Several puts in one transaction are one change.
            version: match &now {
                Some(entry) if entry.modified == self.revision => entry.version,
                Some(entry) => entry.version + 1,
                None => 1,
            },
        };
        self.stage(now, entry.key.clone(), Some(entry));
    }

    /// Deletes `key`; says whether it was there.
    pub fn delete(&mut self, key: &str) -> bool {
        let Some(now) = self.get(key) else { return false };
        let key = now.key.clone();
        self.stage(Some(now), key, None);
        true
    }

    fn stage(&mut self, now: Option<Entry>, key: Arc<str>, entry: Option<Entry>) {
        match self.staged.entry(key) {
            btree_map::Entry::Vacant(slot) => {
                slot.insert(Staged { previous: now, entry });
            }
            btree_map::Entry::Occupied(mut slot) => {
                slot.get_mut().entry = entry;
                // Created and deleted here: nobody will ever have seen it.
                if slot.get().previous.is_none() && slot.get().entry.is_none() {
                    slot.remove();
                }
            }
        }
    }

    fn shared_key(&self, key: &str, now: Option<&Entry>) -> Arc<str> {
        match now {
            Some(entry) => entry.key.clone(),
            None => self.index.read().newest(key).map_or_else(|| Arc::from(key), |(key, _)| key.clone()),
        }
    }

    /// What it changed, in key order, each with the entry it leaves.
    pub(crate) fn finish(self) -> impl ExactSizeIterator<Item = (Change, Option<Entry>)> {
        let revision = self.revision;
        self.staged.into_iter().map(move |(key, staged)| {
            let value = staged.entry.as_ref().map(|entry| entry.value.clone());
            (Change { revision, key, value, previous: staged.previous }, staged.entry)
        })
    }
}
