use std::sync::Arc;

use crate::{Change, Entry, Revision, index::Index};

/// One change on its way to the disk.
#[derive(Debug)]
pub(crate) struct Row {
    /// Rows are numbered in the order of changes.
    pub(crate) row: u64,
    pub(crate) change: Arc<Change>,
    /// What the change leaves at its key.
    pub(crate) entry: Option<Entry>,
    /// The row of what was there before.
    pub(crate) superseded_row: Option<u64>,
}

impl Row {
    /// The change is not yet in `index`.
    pub(crate) fn new(row: u64, change: Change, entry: Option<Entry>, index: &Index) -> Row {
        let superseded_row = index.newest(&change.key).filter(|(_, v)| v.value.is_some()).map(|(_, v)| v.row);
        Row { row, change: Arc::new(change), entry, superseded_row }
    }
}

/// Rows to let go of.
#[derive(Debug, Default)]
pub(crate) struct Forgotten {
    /// The past now begins after this revision.
    pub(crate) oldest: Revision,
    pub(crate) rows: Vec<u64>,
}

/// What makes batches durable.
pub(crate) trait Disk: Send {
    /// Makes a batch durable, all of it or nothing, and lets go of rows that nobody can ask for any more.
    fn commit(&mut self, rows: &[Row], forgotten: &Forgotten) -> Result<(), rusqlite::Error>;
}

/// For the store that forgets everything when it is dropped.
#[derive(Debug)]
pub(crate) struct NoDisk;

impl Disk for NoDisk {
    fn commit(&mut self, _rows: &[Row], _forgotten: &Forgotten) -> Result<(), rusqlite::Error> {
        Ok(())
    }
}
