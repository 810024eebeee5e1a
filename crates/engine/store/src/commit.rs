//! From staged to published: the queue of transactions, and the thread that makes them durable in batches.

use std::{mem, sync::Arc, task::Waker};

use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

use crate::{
    Revision, StoreError,
    disk::{Disk, Forgotten, Row},
    hub::Past,
    store::Shared,
};

/// How many changes of the past are forgotten with one batch, at most: a batch must not wait for housekeeping.
const FORGET: usize = 512;

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
}

#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) rows: Vec<Row>,
    /// Who waits for it: writers, and readers of what it staged.
    pub(crate) waiting: Vec<oneshot::Sender<Result<(), StoreError>>>,
}

impl Staging {
    pub(crate) fn new(last: Revision, next_row: u64) -> Staging {
        Staging { last, next_row, batch: Batch::default(), ended: None, compact: false }
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

    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Has the committer forget what lies outside the window, now.
    pub(crate) fn compact(&self) {
        self.staging.lock().compact = true;
        self.wake();
    }

    /// Takes no more transactions; the committer finishes those it has.
    pub(crate) fn close(&self) {
        self.staging.lock().ended.get_or_insert(StoreError::Closed);
        self.wake();
    }

    /// The next batch and the revision it ends at; `None` when there will be none.
    fn next(&self) -> Option<(Batch, Revision)> {
        let mut staging = self.staging.lock();
        loop {
            let idle = staging.batch.rows.is_empty() && staging.batch.waiting.is_empty() && !staging.compact;
            if !idle {
                staging.compact = false;
                return Some((mem::take(&mut staging.batch), staging.last));
            }
            if staging.ended.is_some() {
                return None;
            }
            self.wake.wait(&mut staging);
        }
    }

    /// Refuses everything from now on, and what waits.
    fn fail(&self, error: &StoreError) -> Batch {
        let mut staging = self.staging.lock();
        staging.ended = Some(error.clone());
        mem::take(&mut staging.batch)
    }
}

/// The committer thread.
pub(crate) fn run(shared: &Arc<Shared>, disk: &mut dyn Disk) {
    while let Some((batch, revision)) = shared.line.next() {
        let forgotten = shared.forgettable(FORGET);
        let work = !batch.rows.is_empty() || !forgotten.rows.rows.is_empty();
        let result = if work { disk.commit(&batch.rows, &forgotten.rows) } else { Ok(()) };
        if let Err(error) = result {
            tracing::error!(%error, "the store cannot make changes durable and takes no more");
            let error = StoreError::Disk(Arc::new(error));
            answer(batch, &Err(error.clone()));
            answer(shared.line.fail(&error), &Err(error));
            break;
        }
        shared.forget(&forgotten);
        if forgotten.count == FORGET {
            shared.line.compact();
        }
        publish(shared, batch, revision);
    }
    shared.hub.lock().close();
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
