use std::{
    collections::BTreeMap,
    ops::Bound::{Excluded, Included, Unbounded},
    sync::Arc,
};

use bytes::Bytes;

use crate::{Entry, Revision, disk::Row};

/// What a commit does to one key.
#[derive(Debug, Clone)]
pub(crate) struct Version {
    pub(crate) modified: Revision,
    pub(crate) created: Revision,
    pub(crate) version: u64,
    /// Its row on the disk.
    pub(crate) row: u64,
    /// `None`: deleted.
    pub(crate) value: Option<Bytes>,
}

impl Version {
    /// What `row` leaves at its key.
    pub(crate) fn of(row: &Row) -> Version {
        Version {
            modified: row.change.revision,
            created: row.entry.as_ref().map_or(Revision(0), |entry| entry.created),
            version: row.entry.as_ref().map_or(0, |entry| entry.version),
            row: row.row,
            value: row.change.value.clone(),
        }
    }

    fn entry(&self, key: &Arc<str>) -> Option<Entry> {
        let value = self.value.clone()?;
        Some(Entry { key: key.clone(), value, created: self.created, modified: self.modified, version: self.version })
    }
}

/// Every key's versions, oldest first: all of them, staged ones included. Who reads says up to which revision.
#[derive(Debug, Default)]
pub(crate) struct Index {
    keys: BTreeMap<Arc<str>, Vec<Version>>,
}

impl Index {
    /// What `key` held at `at`.
    pub(crate) fn get(&self, key: &str, at: Revision) -> Option<Entry> {
        let (key, versions) = self.keys.get_key_value(key)?;
        visible(versions, at)?.entry(key)
    }

    /// What lies behind `prefix` and after `after` at `at`, in key order.
    pub(crate) fn range<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a str>,
        at: Revision,
    ) -> impl Iterator<Item = Entry> + 'a {
        self.versions(prefix, after, at).filter_map(|(key, version)| version.entry(key))
    }

    /// How many keys lie behind `prefix` and after `after` at `at`.
    pub(crate) fn count(&self, prefix: &str, after: Option<&str>, at: Revision) -> usize {
        self.versions(prefix, after, at).filter(|(_, version)| version.value.is_some()).count()
    }

    fn versions<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a str>,
        at: Revision,
    ) -> impl Iterator<Item = (&'a Arc<str>, &'a Version)> + 'a {
        let start = match after {
            Some(after) if after >= prefix => Excluded(after),
            _ => Included(prefix),
        };
        self.keys
            .range::<str, _>((start, Unbounded))
            .take_while(move |(key, _)| key.starts_with(prefix))
            .filter_map(move |(key, versions)| Some((key, visible(versions, at)?)))
    }

    /// The newest version of `key`, staged or not, and the key as the index shares it.
    pub(crate) fn newest(&self, key: &str) -> Option<(&Arc<str>, &Version)> {
        let (key, versions) = self.keys.get_key_value(key)?;
        Some((key, versions.last()?))
    }

    /// Adds a version, newer than all that `key` has.
    pub(crate) fn push(&mut self, key: &Arc<str>, version: Version) {
        if let Some(versions) = self.keys.get_mut(key) {
            versions.push(version);
        } else {
            self.keys.insert(key.clone(), vec![version]);
        }
    }

    /// Takes the newest version of `key` back, which was never published.
    pub(crate) fn undo(&mut self, key: &str, modified: Revision) {
        let Some(versions) = self.keys.get_mut(key) else { return };
        if versions.last().is_some_and(|version| version.modified == modified) {
            versions.pop();
        }
        if versions.is_empty() {
            self.keys.remove(key);
        }
    }

    /// Forgets what `key` held before `until`; if it was deleted then and nothing came later, the key itself.
    pub(crate) fn forget(&mut self, key: &str, until: Revision) {
        let Some(versions) = self.keys.get_mut(key) else { return };
        let superseded = versions.partition_point(|version| version.modified <= until).saturating_sub(1);
        versions.drain(..superseded);
        if versions.first().is_some_and(|version| version.modified <= until && version.value.is_none()) {
            versions.remove(0);
        }
        if versions.is_empty() {
            self.keys.remove(key);
        } else if versions.capacity() > 2 * versions.len() {
            versions.shrink_to_fit();
        }
    }
}

fn visible(versions: &[Version], at: Revision) -> Option<&Version> {
    versions.iter().rev().find(|version| version.modified <= at)
}
