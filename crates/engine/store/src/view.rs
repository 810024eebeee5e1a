use std::sync::Arc;

use crate::{Entry, Revision, store::Shared};

/// All keys as they were at one revision. What it shows stays, as long as it is held: hold it briefly.
#[derive(Debug)]
pub struct View {
    shared: Arc<Shared>,
    revision: Revision,
}

impl View {
    /// The caller has pinned `revision`.
    pub(crate) fn new(shared: Arc<Shared>, revision: Revision) -> View {
        View { shared, revision }
    }

    /// The revision shown.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// What `key` holds.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Entry> {
        self.shared.index.read().get(key, self.revision)
    }

    /// Up to `limit` entries whose keys begin with `prefix` and come after `after_key`, in key order.
    #[must_use]
    pub fn scan(&self, prefix: &str, after_key: Option<&str>, limit: usize) -> Vec<Entry> {
        self.shared.index.read().range(prefix, after_key, self.revision).take(limit).collect()
    }

    /// How many keys begin with `prefix`.
    #[must_use]
    pub fn count(&self, prefix: &str) -> usize {
        self.shared.index.read().count(prefix, None, self.revision)
    }

    /// How many keys begin with `prefix` and come after `after_key`.
    #[must_use]
    pub fn count_after(&self, prefix: &str, after_key: &str) -> usize {
        self.shared.index.read().count(prefix, Some(after_key), self.revision)
    }
}

impl Clone for View {
    fn clone(&self) -> View {
        self.shared.pins.lock().add(self.revision);
        View::new(self.shared.clone(), self.revision)
    }
}

impl Drop for View {
    fn drop(&mut self) {
        self.shared.pins.lock().remove(self.revision);
    }
}
