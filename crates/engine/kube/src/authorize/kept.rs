//! What authorizers keep in memory of the store, and how it is kept current.
//!
//! Rights come from it, so nothing of it counts that is not known to be so: whatever ends the following but the store's
//! end, nothing is granted until everything is taken from the store again.

use eksile_store::{Change, Revision, Store, WatchItem};

use crate::following::{self, Ended};

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

/// Keeps what was loaded current until the store closes; from then on nothing changes, and what is kept stays right.
pub(super) async fn follow(kept: &impl Kept, store: &Store) {
    let mut loaded = true;
    following::again(what(kept), || following(kept, store, std::mem::take(&mut loaded))).await;
}

fn what<K: Kept>(_: &K) -> &'static str {
    K::PREFIX
}

async fn following<K: Kept>(kept: &K, store: &Store, loaded: bool) -> Ended {
    let current = Current(kept);
    if !loaded {
        kept.load(store);
    }
    let ended = changes(kept, store).await;
    if ended == Ended::Closed {
        std::mem::forget(current);
    }
    ended
}

async fn changes<K: Kept>(kept: &K, store: &Store) -> Ended {
    let mut changes = match store.watch(K::PREFIX, kept.followed()) {
        Ok(changes) => changes,
        Err(error) => return Ended::Broken(error.to_string()),
    };
    loop {
        match changes.next().await {
            Ok(WatchItem::Change(change)) => kept.apply(&change),
            Ok(WatchItem::Progress(_)) => {}
            Err(error) => return error.into(),
        }
    }
}

/// What is kept lapses with the end of what keeps it current, in whatever way that ends.
struct Current<'a, K: Kept>(&'a K);

impl<K: Kept> Drop for Current<'_, K> {
    fn drop(&mut self) {
        self.0.lapse();
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

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
    async fn whatever_ends_it_all_is_taken_again_and_nothing_is_granted_meanwhile() {
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
        task.abort();
        until("the end of the task", || task.is_finished()).await;
        assert_eq!(told.all().last().unwrap(), "lapse", "nobody keeps it current");
    }
}
