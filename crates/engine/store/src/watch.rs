use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll},
};

use crate::{Change, Revision, WatchError, hub::Listener, store::Shared};

/// What a watch hands out.
#[derive(Debug, Clone)]
pub enum WatchItem {
    /// One key changed.
    Change(Arc<Change>),
    /// Every change behind the prefix up to this revision was handed out. Comes once after what lay in the past,
    /// then now and then while the store changes elsewhere.
    Progress(Revision),
}

/// Every change behind a prefix, in order of revision, then key. Dropping it ends it.
#[derive(Debug)]
pub struct Watch {
    shared: Arc<Shared>,
    listener: Arc<Listener>,
}

impl Watch {
    pub(crate) fn new(shared: Arc<Shared>, listener: Arc<Listener>) -> Watch {
        Watch { shared, listener }
    }

    /// The next item. May be dropped while it waits, without loss.
    ///
    /// # Errors
    /// [`WatchError::Compacted`] when the reader fell too far behind, [`WatchError::Closed`] when the store closed;
    /// both for good.
    pub async fn next(&mut self) -> Result<WatchItem, WatchError> {
        poll_fn(|context| self.poll_next(context)).await
    }

    /// [`Watch::next`] for callers that poll.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Result<WatchItem, WatchError>> {
        self.listener.take(context.waker()).map_or(Poll::Pending, Poll::Ready)
    }

    /// The published revision, if everything behind the prefix up to it was handed out: what a bookmark may say now.
    #[must_use]
    pub fn progress(&self) -> Option<Revision> {
        // First the revision, then the queue: what is published in between is in the queue.
        let published = self.shared.published();
        self.listener.is_drained().then_some(published)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.shared.hub.lock().leave(&self.listener);
    }
}
