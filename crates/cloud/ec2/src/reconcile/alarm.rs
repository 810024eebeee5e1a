use eksile_store::{Key, Store, Watch, WatchError, WatchItem};

/// Wakes a reconciler when records of some services changed. A reader that fell behind is simply woken: who looks at
/// everything needs no single change.
#[derive(Debug)]
pub struct Alarm {
    store: Store,
    services: &'static [&'static str],
    watch: Option<Watch>,
}

/// The store was closed: nothing will ever change again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the store was closed")]
pub struct Closed;

impl Alarm {
    /// From now on.
    #[must_use]
    pub fn new(store: &Store, services: &'static [&'static str]) -> Self {
        let watch = watch(store);
        Self { store: store.clone(), services, watch }
    }

    /// Waits for a change, and takes all that are there by then. May be dropped while it waits.
    ///
    /// # Errors
    /// The store was closed.
    pub async fn rung(&mut self) -> Result<(), Closed> {
        let Some(watch) = &mut self.watch else {
            self.watch = self::watch(&self.store);
            return Ok(());
        };
        loop {
            match watch.next().await {
                Ok(WatchItem::Change(change)) if concerns(self.services, &change.key) => break,
                Ok(_) => {}
                Err(WatchError::Compacted) => {
                    self.watch = self::watch(&self.store);
                    return Ok(());
                }
                Err(WatchError::Closed) => return Err(Closed),
            }
        }
        // What came with it is looked at in the same round.
        while watch.progress().is_none() {
            match watch.next().await {
                Ok(_) => {}
                Err(WatchError::Closed) => return Err(Closed),
                Err(WatchError::Compacted) => {
                    self.watch = self::watch(&self.store);
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

fn concerns(services: &[&str], key: &str) -> bool {
    Key::parse(key).is_ok_and(|key| services.contains(&key.service))
}

/// `None` when the store moved on in between; the next round tries again.
fn watch(store: &Store) -> Option<Watch> {
    store.watch("/", store.revision()).ok()
}
