//! From staged to published: the queue of transactions, and the thread that makes them durable in batches.

use std::{
    mem,
    sync::Arc,
    task::Waker,
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex, MutexGuard};
use rusqlite::{ErrorCode, ffi};
use tokio::sync::oneshot;

use crate::{
    Revision, StoreError,
    disk::{Disk, Forgotten, Row},
    hub::Past,
    store::Shared,
};

/// How many changes of the past are forgotten with one batch, at most: a batch must not wait for housekeeping.
const FORGET: usize = 512;

/// Time in which most of those who were answered together are back, if they come back at all.
const AGAIN: Duration = Duration::from_micros(200);

/// Transactions that are in the index, but not on the disk.
#[derive(Debug)]
pub(crate) struct Staging {
    /// The newest staged revision; equal to the published one when nothing is under way.
    pub(crate) last: Revision,
    pub(crate) next_row: u64,
    pub(crate) batch: Batch,
    /// Why nothing more is taken.
    pub(crate) ended: Option<StoreError>,
    compact: bool,
    /// The committer sleeps until so many wait.
    wanted: usize,
}

#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) rows: Vec<Row>,
    /// Who waits for it: writers, and readers of what it staged.
    pub(crate) waiting: Vec<oneshot::Sender<Result<(), StoreError>>>,
}

impl Staging {
    pub(crate) fn new(last: Revision, next_row: u64) -> Staging {
        Staging { last, next_row, batch: Batch::default(), ended: None, compact: false, wanted: usize::MAX }
    }
}

/// Hands batches from the writers to the committer.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) staging: Mutex<Staging>,
    wake: Condvar,
}

impl Line {
    pub(crate) fn new(staging: Staging) -> Line {
        Line { staging: Mutex::new(staging), wake: Condvar::new() }
    }

    /// To be called after something was added to the batch.
    pub(crate) fn added(&self, staging: MutexGuard<'_, Staging>) {
        let enough = staging.batch.waiting.len() >= staging.wanted;
        drop(staging);
        if enough {
            self.wake.notify_one();
        }
    }

    /// Has the committer forget what lies outside the window, now.
    pub(crate) fn compact(&self) {
        self.staging.lock().compact = true;
        self.wake.notify_one();
    }

    /// Takes no more transactions; the committer finishes those it has.
    pub(crate) fn close(&self) {
        self.staging.lock().ended.get_or_insert(StoreError::Closed);
        self.wake.notify_one();
    }

    /// The next batch and the revision it ends at; `None` when there will be none.
    fn next(&self, pace: &Pace) -> Option<(Batch, Revision)> {
        let mut staging = self.staging.lock();
        let mut deadline = None;
        loop {
            let waiting = staging.batch.waiting.len();
            if waiting == 0 && !staging.compact {
                if staging.ended.is_some() {
                    return None;
                }
                staging.wanted = 1;
                self.wake.wait(&mut staging);
            } else {
                let deadline = *deadline.get_or_insert_with(|| Instant::now() + pace.patience());
                let go = waiting >= pace.siblings || staging.compact || staging.ended.is_some();
                staging.wanted = pace.siblings;
                if go || self.wake.wait_until(&mut staging, deadline).timed_out() {
                    break;
                }
            }
        }
        staging.compact = false;
        staging.wanted = usize::MAX;
        Some((mem::take(&mut staging.batch), staging.last))
    }

    /// How many wait for the next batch.
    fn waiting(&self) -> usize {
        self.staging.lock().batch.waiting.len()
    }

    /// Refuses everything from now on, and what waits.
    fn fail(&self, error: &StoreError) -> Batch {
        let mut staging = self.staging.lock();
        staging.ended = Some(error.clone());
        mem::take(&mut staging.batch)
    }
}

/// How many writers there seem to be, and how long the disk takes.
///
/// Who was just answered will often write again at once. To wait for them a little, so that they share the next sync
/// rather than miss it, is worth a fraction of the sync, or a whole one that is short; a single writer never waits.
#[derive(Debug, Default)]
struct Pace {
    siblings: usize,
    sync: Duration,
}

impl Pace {
    fn patience(&self) -> Duration {
        (self.sync / 4).max(self.sync.min(AGAIN))
    }

    fn seen(&mut self, sync: Duration, batch: usize, waiting: usize) {
        self.sync = (self.sync * 7 + sync) / 8;
        self.siblings = batch + waiting;
    }
}

/// The committer thread.
pub(crate) fn run(shared: &Arc<Shared>, disk: &mut dyn Disk) {
    let mut pace = Pace::default();
    let mut trouble = Trouble::default();
    while let Some((batch, revision)) = shared.line.next(&pace) {
        let (start, writers) = (Instant::now(), batch.waiting.len());
        let forgotten = shared.forgettable(FORGET);
        let work = !batch.rows.is_empty() || !forgotten.rows.rows.is_empty();
        let result = if work { disk.commit(&batch.rows, &forgotten.rows) } else { Ok(()) };
        if let Err(error) = result {
            if !is_passing(&error) {
                tracing::error!(%error, "the store cannot make changes durable and takes no more");
                let error = StoreError::Disk(Arc::new(error));
                answer(batch, &Err(error.clone()));
                answer(shared.line.fail(&error), &Err(error));
                break;
            }
            trouble.met(&error);
            take_back(shared, batch, &StoreError::Unwritten(Arc::new(error)));
            continue;
        }
        if work {
            trouble.over();
        }
        pace.seen(start.elapsed(), writers, shared.line.waiting());
        shared.forget(&forgotten);
        if forgotten.count == FORGET {
            shared.line.compact();
        }
        publish(shared, batch, revision);
    }
    shared.hub.lock().close();
}

/// Whether the disk has nothing of what it refused, and may take the next batch: it is full, read-only, or somebody looks
/// into the file. What fails in a sync may have been written or not.
fn is_passing(error: &rusqlite::Error) -> bool {
    let rusqlite::Error::SqliteFailure(failure, _) = error else { return false };
    match failure.code {
        ErrorCode::DiskFull | ErrorCode::ReadOnly | ErrorCode::CannotOpen => true,
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::OutOfMemory => true,
        ErrorCode::SystemIoFailure => {
            !matches!(failure.extended_code, ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC)
        }
        _ => false,
    }
}

/// Takes a batch back that the disk does not have, and all that was staged upon it.
fn take_back(shared: &Shared, batch: Batch, error: &StoreError) {
    let later = {
        let mut staging = shared.line.staging.lock();
        let later = mem::take(&mut staging.batch);
        let mut index = shared.index.write();
        for row in batch.rows.iter().chain(&later.rows).rev() {
            index.undo(&row.change.key, row.change.revision);
        }
        drop(index);
        staging.last = shared.published();
        if let Some(first) = batch.rows.first().or(later.rows.first()) {
            staging.next_row = first.row;
        }
        later
    };
    answer(batch, &Err(error.clone()));
    answer(later, &Err(error.clone()));
}

/// What the log is told of a disk that refuses: once, and when it is over.
#[derive(Debug, Default)]
struct Trouble {
    refused: u64,
}

impl Trouble {
    fn met(&mut self, error: &rusqlite::Error) {
        if self.refused == 0 {
            tracing::error!(%error, "the store's disk takes nothing; writes are refused until it does");
        }
        self.refused += 1;
    }

    fn over(&mut self) {
        if self.refused > 0 {
            tracing::warn!(batches = self.refused, "the store's disk takes writes again; some were refused");
        }
        self.refused = 0;
    }
}

fn publish(shared: &Shared, mut batch: Batch, revision: Revision) {
    let rows = mem::take(&mut batch.rows);
    if !rows.is_empty() {
        let past = rows.into_iter().map(Past::of).collect();
        shared.publish(past, revision).into_iter().for_each(Waker::wake);
    }
    answer(batch, &Ok(()));
}

fn answer(batch: Batch, result: &Result<(), StoreError>) {
    for waiting in batch.waiting {
        // Whoever no longer waits does not want to know.
        drop(waiting.send(result.clone()));
    }
}

/// What goes with the next batch: from the disk, then from memory.
#[derive(Debug, Default)]
pub(crate) struct Outdated {
    pub(crate) count: usize,
    pub(crate) rows: Forgotten,
}
