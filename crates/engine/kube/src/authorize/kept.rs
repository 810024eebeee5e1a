//! What authorizers keep in memory of the store, and how it is kept current.
//!
//! Rights come from it, so nothing of it counts that is not known to be so: whatever ends the following but the store's
//! end is told with its cause, and everything is taken again. When that does not last, nothing is granted meanwhile.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use eksile_store::{Change, Revision, Store, ViewError, WatchError, WatchItem};
use futures::FutureExt as _;
use tokio::time::Instant;

/// Between two times of taking everything there is at least this.
const PAUSE: Duration = Duration::from_millis(200);

/// Something that is kept of a prefix of the store.
pub(super) trait Kept {
    /// Where it is stored.
    const PREFIX: &'static str;

    /// Up to which revision it is as the store.
    fn followed(&self) -> Revision;

    /// Takes everything that the store holds.
    fn load(&self, store: &Store);

    /// Takes a change.
    fn apply(&self, change: &Change);

    /// Grants nothing until it is loaded again.
    fn lapse(&self);
}

/// Why following ended.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error(transparent)]
    View(#[from] ViewError),
    #[error(transparent)]
    Watch(#[from] WatchError),
    #[error("it panicked")]
    Panicked,
}

/// Keeps what was loaded current until the store closes; from then on nothing changes, and what is kept stays right.
pub(super) async fn follow(kept: &impl Kept, store: &Store) {
    let mut again = false;
    loop {
        let began = Instant::now();
        let following = AssertUnwindSafe(following(kept, store, again)).catch_unwind();
        let cause = match following.await.unwrap_or(Err(Ended::Panicked)) {
            Err(Ended::Watch(WatchError::Closed)) => return,
            Err(cause) => cause,
            Ok(never) => match never {},
        };
        tracing::warn!(prefix = kept_at(kept), %cause, "authorization: everything is taken from the store again");
        if began.elapsed() < PAUSE {
            kept.lapse();
            tokio::time::sleep(PAUSE).await;
        }
        again = true;
    }
}

fn kept_at<K: Kept>(_: &K) -> &'static str {
    K::PREFIX
}

async fn following<K: Kept>(kept: &K, store: &Store, again: bool) -> Result<std::convert::Infallible, Ended> {
    if again {
        kept.load(store);
    }
    let mut changes = store.watch(K::PREFIX, kept.followed())?;
    loop {
        match changes.next().await? {
            WatchItem::Change(change) => kept.apply(&change),
            WatchItem::Progress(_) => {}
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use eksile_store::Options;
    use parking_lot::Mutex;

    use super::*;

    /// A store in a folder of its own.
    pub(crate) fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store.db"), Options::default()).unwrap();
        (folder, store)
    }

    pub(crate) async fn put(store: &Store, key: &str, value: &str) {
        let done = store.write(|txn| -> Result<(), std::convert::Infallible> {
            txn.put(key, value.to_owned());
            Ok(())
        });
        done.await.unwrap();
    }

    /// Waits until something is so.
    pub(crate) async fn until(what: &str, so: impl Fn() -> bool) {
        for _ in 0..1000 {
            if so() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("{what} never came");
    }

    /// Tells what happens to it, and panics at a key of this name.
    #[derive(Default)]
    struct Told(Mutex<(u64, Vec<String>)>);

    impl Told {
        fn all(&self) -> Vec<String> {
            self.0.lock().1.clone()
        }
    }

    impl Kept for Told {
        const PREFIX: &'static str = "/registry/pods/";

        fn followed(&self) -> Revision {
            Revision(self.0.lock().0)
        }

        fn load(&self, store: &Store) {
            let mut told = self.0.lock();
            told.0 = store.revision().0;
            told.1.push("load".to_owned());
        }

        fn apply(&self, change: &Change) {
            assert!(!change.key.ends_with("/panics"), "as asked");
            let mut told = self.0.lock();
            told.0 = change.revision.0;
            told.1.push(change.key.to_string());
        }

        fn lapse(&self) {
            self.0.lock().1.push("lapse".to_owned());
        }
    }

    #[tokio::test]
    async fn whatever_ends_it_all_is_taken_again_after_a_pause_in_which_nothing_is_granted() {
        let (_folder, store) = store();
        let told = std::sync::Arc::new(Told::default());
        let (task_told, task_store) = (told.clone(), store.clone());
        let task = tokio::spawn(async move { follow(&*task_told, &task_store).await });
        put(&store, "/registry/pods/a/one", "{}").await;
        put(&store, "/registry/pods/a/panics", "{}").await;
        until("the load", || told.all().iter().any(|what| what == "load")).await;
        put(&store, "/registry/pods/a/two", "{}").await;
        until("the second", || told.all().iter().any(|what| what.ends_with("two"))).await;
        assert_eq!(told.all(), ["/registry/pods/a/one", "lapse", "load", "/registry/pods/a/two"]);
        assert!(!task.is_finished());
        task.abort();
    }
}
