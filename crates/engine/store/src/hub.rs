use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
    task::Waker,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use crate::{Change, Revision, ViewError, WatchError, WatchItem, disk::Row};

/// The published past that can still be asked for, and who listens to what comes.
#[derive(Debug)]
pub(crate) struct Hub {
    /// Every change after `oldest`, in order.
    history: VecDeque<Past>,
    /// Bytes that only the history keeps alive.
    superseded: usize,
    /// The newest revision that is forgotten; views and watches reach back to it.
    oldest: Revision,
    published: Revision,
    listeners: HashMap<Box<str>, Vec<Arc<Listener>>>,
    /// How many prefixes of each length are listened to: a change is looked up once per length.
    lengths: BTreeMap<usize, usize>,
    progressed: Instant,
    closed: bool,
}

/// A change, and the rows of the disk that go when it is forgotten.
#[derive(Debug)]
pub(crate) struct Past {
    pub(crate) change: Arc<Change>,
    /// The change's own row.
    pub(crate) row: u64,
    /// The row of what it superseded.
    pub(crate) superseded_row: Option<u64>,
}

impl Past {
    pub(crate) fn of(row: Row) -> Past {
        Past { row: row.row, superseded_row: row.superseded_row, change: row.change }
    }

    fn superseded_bytes(&self) -> usize {
        self.change.previous.as_ref().map_or(0, |entry| entry.value.len())
    }
}

/// Idle watches are told of progress at most this often.
const PROGRESS: Duration = Duration::from_secs(1);

impl Hub {
    /// A hub whose past begins after `oldest`.
    pub(crate) fn new(oldest: Revision, published: Revision, history: VecDeque<Past>) -> Hub {
        let superseded = history.iter().map(Past::superseded_bytes).sum();
        Hub {
            history,
            superseded,
            oldest,
            published,
            listeners: HashMap::new(),
            lengths: BTreeMap::new(),
            progressed: Instant::now(),
            closed: false,
        }
    }

    pub(crate) fn oldest(&self) -> Revision {
        self.oldest
    }

    pub(crate) fn check(&self, revision: Revision) -> Result<(), ViewError> {
        if revision < self.oldest {
            Err(ViewError::Compacted { oldest: self.oldest })
        } else if revision > self.published {
            Err(ViewError::Future { current: self.published })
        } else {
            Ok(())
        }
    }

    /// Takes a batch into the past and hands it to who listens. The wakers are for the caller, without the lock.
    pub(crate) fn publish(&mut self, batch: Vec<Past>, revision: Revision) -> Vec<Waker> {
        self.published = revision;
        let mut woken = Vec::new();
        for past in batch {
            self.dispatch(&past.change, &mut woken);
            self.superseded += past.superseded_bytes();
            self.history.push_back(past);
        }
        if self.progressed.elapsed() >= PROGRESS {
            self.progressed = Instant::now();
            for listener in self.listeners.values().flatten() {
                woken.extend(listener.progress(revision));
            }
        }
        woken
    }

    fn dispatch(&self, change: &Arc<Change>, woken: &mut Vec<Waker>) {
        for length in self.lengths.keys() {
            let Some(prefix) = change.key.get(..*length) else { continue };
            for listener in self.listeners.get(prefix).into_iter().flatten() {
                woken.extend(listener.push(change));
            }
        }
    }

    /// Moves the end of the past to `oldest`, never back and never past the published revision.
    pub(crate) fn compact(&mut self, oldest: Revision) {
        self.oldest = self.oldest.max(oldest.min(self.published));
    }

    /// Compacts down to `changes` changes and `bytes` superseded bytes, once there are clearly more: what is forgotten
    /// goes in one sweep rather than with every batch.
    pub(crate) fn shrink(&mut self, changes: usize, bytes: usize) {
        let mut superseded = self.superseded;
        let mut count = self.history.len();
        if count <= changes + changes / 16 && superseded <= bytes + bytes / 16 {
            return;
        }
        for past in &self.history {
            if count <= changes && superseded <= bytes {
                break;
            }
            count -= 1;
            superseded -= past.superseded_bytes();
            self.oldest = self.oldest.max(past.change.revision);
        }
    }

    /// Up to `limit` changes that are out of the past and not after `pinned`, oldest first.
    pub(crate) fn forgettable(&self, pinned: Revision, limit: usize) -> impl Iterator<Item = &Past> {
        let until = self.oldest.min(pinned);
        self.history.iter().take_while(move |past| past.change.revision <= until).take(limit)
    }

    /// Drops the `count` oldest changes.
    pub(crate) fn forget(&mut self, count: usize) -> Vec<Past> {
        let gone: Vec<Past> = self.history.drain(..count).collect();
        self.superseded -= gone.iter().map(Past::superseded_bytes).sum::<usize>();
        gone
    }

    /// Registers a listener who first gets everything behind `prefix` after `after`.
    pub(crate) fn listen(&mut self, prefix: &str, after: Revision, backlog: usize) -> Result<Arc<Listener>, ViewError> {
        self.check(after)?;
        let start = self.history.partition_point(|past| past.change.revision <= after);
        let replay = self
            .history
            .range(start..)
            .filter(|past| past.change.key.starts_with(prefix))
            .map(|past| WatchItem::Change(past.change.clone()))
            .chain([WatchItem::Progress(self.published)])
            .collect();
        let listener = Arc::new(Listener::new(prefix, replay, backlog));
        if self.closed {
            listener.close();
        }
        let same = self.listeners.entry(prefix.into()).or_default();
        if same.is_empty() {
            *self.lengths.entry(prefix.len()).or_default() += 1;
        }
        same.push(listener.clone());
        Ok(listener)
    }

    pub(crate) fn leave(&mut self, listener: &Arc<Listener>) {
        let Some(same) = self.listeners.get_mut(&listener.prefix) else { return };
        same.retain(|other| !Arc::ptr_eq(other, listener));
        if !same.is_empty() {
            return;
        }
        self.listeners.remove(&listener.prefix);
        if let Some(count) = self.lengths.get_mut(&listener.prefix.len()) {
            *count -= 1;
            if *count == 0 {
                self.lengths.remove(&listener.prefix.len());
            }
        }
    }

    /// Ends every watch once it has handed out what it holds, and every later one.
    pub(crate) fn close(&mut self) {
        self.closed = true;
        let wakers: Vec<Waker> = self.listeners.values().flatten().filter_map(|listener| listener.close()).collect();
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// The sending half of a [`Watch`](crate::Watch).
#[derive(Debug)]
pub(crate) struct Listener {
    prefix: Box<str>,
    backlog: usize,
    queue: Mutex<Queue>,
}

#[derive(Debug)]
struct Queue {
    items: VecDeque<WatchItem>,
    /// What was there at the start does not count against the backlog.
    replay: usize,
    end: Option<WatchError>,
    waker: Option<Waker>,
}

impl Listener {
    fn new(prefix: &str, items: VecDeque<WatchItem>, backlog: usize) -> Listener {
        let replay = items.len();
        Listener { prefix: prefix.into(), backlog, queue: Mutex::new(Queue { items, replay, end: None, waker: None }) }
    }

    fn push(&self, change: &Arc<Change>) -> Option<Waker> {
        let mut queue = self.queue.lock();
        if queue.end.is_some() {
            return None;
        }
        if queue.items.len() >= self.backlog + queue.replay {
            queue.items = VecDeque::new();
            queue.end = Some(WatchError::Compacted);
        } else {
            queue.items.push_back(WatchItem::Change(change.clone()));
        }
        queue.waker.take()
    }

    /// Only for who has nothing else to read: others will see from the changes how far they are.
    fn progress(&self, revision: Revision) -> Option<Waker> {
        let mut queue = self.queue.lock();
        if !queue.items.is_empty() || queue.end.is_some() {
            return None;
        }
        queue.items.push_back(WatchItem::Progress(revision));
        queue.waker.take()
    }

    fn close(&self) -> Option<Waker> {
        let mut queue = self.queue.lock();
        queue.end.get_or_insert(WatchError::Closed);
        queue.waker.take()
    }

    /// Whether everything published has been taken.
    pub(crate) fn is_drained(&self) -> bool {
        let queue = self.queue.lock();
        queue.items.is_empty() && queue.end.is_none()
    }

    /// The next item, or `None` after leaving `waker` to be woken by it.
    pub(crate) fn take(&self, waker: &Waker) -> Option<Result<WatchItem, WatchError>> {
        let mut queue = self.queue.lock();
        if let Some(item) = queue.items.pop_front() {
            queue.replay = queue.replay.saturating_sub(1);
            return Some(Ok(item));
        }
        if let Some(end) = queue.end {
            return Some(Err(end));
        }
        queue.waker = Some(waker.clone());
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watch_that_begins_after_the_end_ends_too() {
        let mut hub = Hub::new(Revision(0), Revision(0), VecDeque::new());
        hub.close();
        let late = hub.listen("/a/", Revision(0), 10).unwrap();
        assert!(matches!(late.take(Waker::noop()), Some(Ok(WatchItem::Progress(_)))));
        assert!(matches!(late.take(Waker::noop()), Some(Err(WatchError::Closed))));
    }
}
