use std::{
    collections::{BTreeMap, VecDeque},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::Waker,
    thread,
};

use parking_lot::{Mutex, RwLock};
use tokio::sync::oneshot;

use crate::{
    OpenError, Revision, StoreError, Txn, View, ViewError, Watch, WatchError, WriteError,
    commit::{self, Line, Outdated, Staging},
    disk::{Disk, NoDisk, Row},
    hub::{Hub, Past},
    index::{Index, Version},
};

/// How much a store keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// So many changes can be watched and viewed back.
    pub history_changes: usize,
    /// Less, when what they superseded is more than so many bytes.
    pub history_bytes: usize,
    /// A watch whose reader is behind by more than so many changes is ended.
    pub backlog: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options { history_changes: 20_000, history_bytes: 32 << 20, backlog: 10_000 }
    }
}

/// What a write resolved to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed<T> {
    /// The commit's revision; the current one when nothing was changed.
    pub revision: Revision,
    /// What the closure returned.
    pub value: T,
}

/// A store. Clones are the same store; it closes when the last one goes.
#[derive(Debug, Clone)]
pub struct Store {
    handle: Arc<Handle>,
}

#[derive(Debug)]
struct Handle {
    shared: Arc<Shared>,
    committer: Option<thread::JoinHandle<()>>,
}

/// What readers, writers and the committer share. Locks are taken in the order staging, hub, pins, index.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) index: RwLock<Index>,
    pub(crate) hub: Mutex<Hub>,
    pub(crate) pins: Mutex<Pins>,
    pub(crate) line: Line,
    published: AtomicU64,
    options: Options,
}

/// The revisions that views show.
#[derive(Debug, Default)]
pub(crate) struct Pins {
    views: BTreeMap<Revision, usize>,
}

impl Pins {
    pub(crate) fn add(&mut self, revision: Revision) {
        *self.views.entry(revision).or_default() += 1;
    }

    pub(crate) fn remove(&mut self, revision: Revision) {
        if let Some(count) = self.views.get_mut(&revision) {
            *count -= 1;
            if *count == 0 {
                self.views.remove(&revision);
            }
        }
    }

    fn oldest(&self) -> Revision {
        self.views.keys().next().copied().unwrap_or(Revision(u64::MAX))
    }
}

/// A store's content as it was read back.
#[derive(Debug, Default)]
pub(crate) struct Content {
    pub(crate) index: Index,
    pub(crate) history: VecDeque<Past>,
    pub(crate) oldest: Revision,
    pub(crate) revision: Revision,
    pub(crate) next_row: u64,
}

impl Store {
    /// Opens the store in the SQLite file `path`, and makes it, with its folder, when it is missing (readable by the
    /// owner alone).
    ///
    /// # Errors
    /// When the file cannot be made, read or trusted, or another process has it open.
    pub fn open(path: &Path, options: Options) -> Result<Store, OpenError> {
        let (disk, content) = crate::sqlite::open(path)?;
        Ok(Store::start(Box::new(disk), content, options))
    }

    /// A store that forgets everything when it is dropped.
    #[must_use]
    pub fn in_memory() -> Store {
        Store::in_memory_with(Options::default())
    }

    /// [`Store::in_memory`] with other bounds.
    #[must_use]
    pub fn in_memory_with(options: Options) -> Store {
        Store::start(Box::new(NoDisk), Content::default(), options)
    }

    fn start(mut disk: Box<dyn Disk>, content: Content, options: Options) -> Store {
        let shared = Arc::new(Shared {
            index: RwLock::new(content.index),
            hub: Mutex::new(Hub::new(content.oldest, content.revision, content.history)),
            pins: Mutex::default(),
            line: Line::new(Staging::new(content.revision, content.next_row)),
            published: AtomicU64::new(content.revision.0),
            options,
        });
        let committer = thread::Builder::new()
            .name("store".to_owned())
            .spawn({
                let shared = shared.clone();
                move || commit::run(&shared, &mut *disk)
            })
            .expect("a process that cannot start a thread cannot go on");
        Store { handle: Arc::new(Handle { shared, committer: Some(committer) }) }
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.handle.shared
    }

    /// The published revision.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.shared().published()
    }

    /// The oldest revision that can be viewed, and watched from.
    #[must_use]
    pub fn oldest(&self) -> Revision {
        self.shared().hub.lock().oldest()
    }

    /// Everything at the published revision.
    #[must_use]
    pub fn view(&self) -> View {
        let shared = self.shared();
        let mut pins = shared.pins.lock();
        // Read under the lock: whoever forgets the past looks at the pins first.
        let revision = shared.published();
        pins.add(revision);
        View::new(shared.clone(), revision)
    }

    /// Everything at `revision`.
    ///
    /// # Errors
    /// When it is not kept any more, or not reached yet.
    pub fn view_at(&self, revision: Revision) -> Result<View, ViewError> {
        let shared = self.shared();
        let hub = shared.hub.lock();
        hub.check(revision)?;
        shared.pins.lock().add(revision);
        Ok(View::new(shared.clone(), revision))
    }

    /// Runs `f` alone, on the caller's thread, at the revision that its commit will get, and resolves when what it
    /// changed is durable and published. When it changes nothing, or refuses, nothing is committed, and this resolves
    /// when what it saw is durable.
    ///
    /// The closure must not write or wait itself. Once it has run, dropping the future does not undo it.
    ///
    /// # Errors
    /// [`WriteError::Refused`] with the closure's error, [`WriteError::Failed`] when the disk fails or has failed.
    pub async fn write<T, E>(
        &self,
        f: impl FnOnce(&mut Txn<'_>) -> Result<T, E>,
    ) -> Result<Committed<T>, WriteError<E>> {
        let (revision, result, done) = self.shared().stage(f).map_err(WriteError::Failed)?;
        if let Some(done) = done {
            // The committer answers everybody before it ends.
            done.await.unwrap_or(Err(StoreError::Closed)).map_err(WriteError::Failed)?;
        }
        match result {
            Ok(value) => Ok(Committed { revision, value }),
            Err(refused) => Err(WriteError::Refused(refused)),
        }
    }

    /// Every change behind `prefix` with a revision after `after`, in order.
    ///
    /// # Errors
    /// When that far back is not kept any more, or not reached yet.
    pub fn watch(&self, prefix: &str, after: Revision) -> Result<Watch, ViewError> {
        let shared = self.shared();
        let listener = shared.hub.lock().listen(prefix, after, shared.options.backlog)?;
        Ok(Watch::new(shared.clone(), listener))
    }

    /// Waits until the store takes no more writes: its disk failed for good. A process whose store it is ends then, to be
    /// started again: what the disk has is known after that.
    pub async fn ended(&self) {
        let Ok(mut watch) = self.watch("\u{0}nothing", self.revision()) else { return };
        loop {
            match watch.next().await {
                Err(WatchError::Closed) => return,
                Err(WatchError::Compacted) | Ok(_) => {}
            }
        }
    }

    /// Forgets what was superseded up to `revision`: it can no longer be viewed before it.
    pub fn compact(&self, revision: Revision) {
        self.shared().hub.lock().compact(revision);
        self.shared().line.compact();
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.line.close();
        let Some(committer) = self.committer.take() else { return };
        // A waker run by the committer may hold the last store.
        if committer.thread().id() != thread::current().id() && committer.join().is_err() {
            tracing::error!("the store's committer ended in a panic");
        }
    }
}

type Staged<T, E> = (Revision, Result<T, E>, Option<oneshot::Receiver<Result<(), StoreError>>>);

impl Shared {
    pub(crate) fn published(&self) -> Revision {
        Revision(self.published.load(Ordering::Acquire))
    }

    /// Runs `f` and stages what it did. The receiver, if any, hears when all that `f` saw and did is durable.
    fn stage<T, E>(&self, f: impl FnOnce(&mut Txn<'_>) -> Result<T, E>) -> Result<Staged<T, E>, StoreError> {
        let mut staging = self.line.staging.lock();
        if let Some(ended) = &staging.ended {
            return Err(ended.clone());
        }
        let mut txn = Txn::new(&self.index, Revision(staging.last.0 + 1));
        let result = f(&mut txn);
        let revision = txn.revision();
        let changes = txn.finish();
        if result.is_ok() && changes.len() > 0 {
            staging.last = revision;
            let mut index = self.index.write();
            for (change, entry) in changes {
                let row = Row::new(staging.next_row, change, entry, &index);
                staging.next_row += 1;
                index.push(&row.change.key, Version::of(&row));
                staging.batch.rows.push(row);
            }
        } else if staging.last == self.published() {
            return Ok((staging.last, result, None));
        }
        let (done, wait) = oneshot::channel();
        staging.batch.waiting.push(done);
        let last = staging.last;
        self.line.added(staging);
        Ok((last, result, Some(wait)))
    }

    pub(crate) fn publish(&self, past: Vec<Past>, revision: Revision) -> Vec<Waker> {
        let mut hub = self.hub.lock();
        let woken = hub.publish(past, revision);
        self.published.store(revision.0, Ordering::Release);
        hub.shrink(self.options.history_changes, self.options.history_bytes);
        woken
    }

    /// What can be forgotten now.
    pub(crate) fn forgettable(&self, limit: usize) -> Outdated {
        let hub = self.hub.lock();
        let pinned = self.pins.lock().oldest();
        let mut outdated = Outdated::default();
        outdated.rows.oldest = hub.oldest();
        for past in hub.forgettable(pinned, limit) {
            outdated.count += 1;
            outdated.rows.rows.extend(past.superseded_row);
            outdated.rows.rows.extend(past.change.value.is_none().then_some(past.row));
        }
        outdated
    }

    /// Forgets in memory what the disk has let go of.
    pub(crate) fn forget(&self, outdated: &Outdated) {
        if outdated.count == 0 {
            return;
        }
        let gone = self.hub.lock().forget(outdated.count);
        let mut index = self.index.write();
        for past in gone {
            index.forget(&past.change.key, past.change.revision);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use rusqlite::{Error, ffi};

    use super::*;
    use crate::{WatchItem, disk::Forgotten};

    /// A disk that is full while it is told to be.
    struct Full(Arc<AtomicBool>);

    impl Disk for Full {
        fn commit(&mut self, _: &[Row], _: &Forgotten) -> Result<(), Error> {
            if self.0.load(Ordering::Acquire) {
                return Err(Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_FULL), None));
            }
            Ok(())
        }
    }

    async fn put(store: &Store, key: &str) -> Result<Revision, WriteError<()>> {
        store
            .write(|txn| {
                txn.put(key, "x");
                Ok(())
            })
            .await
            .map(|done| done.revision)
    }

    #[tokio::test]
    async fn a_full_disk_refuses_until_there_is_room_and_loses_nothing() {
        let full = Arc::new(AtomicBool::new(false));
        let store = Store::start(Box::new(Full(full.clone())), Content::default(), Options::default());
        assert_eq!(put(&store, "/a").await.unwrap(), Revision(1));
        let mut watch = store.watch("", Revision(1)).unwrap();
        full.store(true, Ordering::Release);
        for _ in 0..10 {
            let (one, other) = tokio::join!(put(&store, "/b"), put(&store, "/a"));
            for refused in [one, other] {
                assert!(matches!(refused, Err(WriteError::Failed(StoreError::Unwritten(_)))), "{refused:?}");
            }
        }
        assert_eq!((store.revision(), store.view().count("")), (Revision(1), 1));
        full.store(false, Ordering::Release);
        // What was refused is not there for those who write later, either.
        let seen = store.write(|txn| Ok::<_, ()>((txn.get("/b").is_none(), txn.put("/c", "x")))).await.unwrap();
        assert_eq!((seen.revision, seen.value.0), (Revision(2), true));
        assert_eq!(store.view().get("/a").unwrap().version, 1);
        loop {
            match watch.next().await.unwrap() {
                WatchItem::Progress(_) => {}
                WatchItem::Change(change) => {
                    assert_eq!((&*change.key, change.revision), ("/c", Revision(2)));
                    return;
                }
            }
        }
    }
}
