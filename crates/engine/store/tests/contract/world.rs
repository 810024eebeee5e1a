//! A store under test, and short ways to say what is done to it.

use std::{convert::Infallible, future::Future, sync::Arc, task::Poll, time::Duration};

use bytes::Bytes;
use eksile_store::{Change, Committed, Options, Revision, Store, Txn, Watch, WatchError, WatchItem, WriteError};
use tempfile::TempDir;

pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) folder: Option<TempDir>,
}

pub(crate) fn memory(options: Options) -> World {
    World { store: Store::in_memory_with(options), folder: None }
}

pub(crate) fn sqlite(options: Options) -> World {
    let folder = TempDir::new().unwrap();
    let store = Store::open(&folder.path().join("store.db"), options).unwrap();
    World { store, folder: Some(folder) }
}

impl World {
    /// Closes a durable store and opens it again.
    pub(crate) fn reopen(self, options: Options) -> World {
        let World { store, folder } = self;
        drop(store);
        let store = Store::open(&folder.as_ref().unwrap().path().join("store.db"), options).unwrap();
        World { store, folder }
    }
}

/// Runs a future on a small runtime, and gives up when it hangs.
pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(Duration::from_secs(20), future).await.expect("hangs") })
}

/// A write that cannot be refused.
pub(crate) async fn write<T>(store: &Store, f: impl FnOnce(&mut Txn<'_>) -> T) -> Committed<T> {
    match store.write(|txn| Ok::<_, Infallible>(f(txn))).await {
        Ok(committed) => committed,
        Err(WriteError::Failed(error)) => panic!("{error}"),
        Err(WriteError::Refused(never)) => match never {},
    }
}

pub(crate) async fn put(store: &Store, key: &str, value: &str) -> Revision {
    let value = Bytes::copy_from_slice(value.as_bytes());
    write(store, |txn| txn.put(key, value)).await.revision
}

pub(crate) async fn delete(store: &Store, key: &str) -> Revision {
    write(store, |txn| txn.delete(key)).await.revision
}

/// The next change; progress is passed over.
pub(crate) async fn change(watch: &mut Watch) -> Result<Arc<Change>, WatchError> {
    loop {
        if let WatchItem::Change(change) = watch.next().await? {
            return Ok(change);
        }
    }
}

/// Changes that are there without waiting, as `(revision, key, value)`.
pub(crate) async fn ready(watch: &mut Watch) -> Vec<(u64, String, Option<String>)> {
    let mut out = Vec::new();
    while let Poll::Ready(item) = futures_poll(watch).await {
        if let WatchItem::Change(change) = item.unwrap() {
            out.push((change.revision.0, change.key.to_string(), change.value.as_deref().map(text)));
        }
    }
    out
}

async fn futures_poll(watch: &mut Watch) -> Poll<Result<WatchItem, WatchError>> {
    std::future::poll_fn(|context| Poll::Ready(watch.poll_next(context))).await
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}
