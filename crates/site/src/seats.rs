//! How many may be served at once, and how many for one of them.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

/// Seats at one service. Who finds none is sent away at once, so that nobody takes those of others.
#[derive(Debug)]
pub struct Seats<K> {
    taken: Arc<Mutex<HashMap<K, usize>>>,
    each: usize,
}

/// A taken seat; dropping it gives it back.
#[derive(Debug)]
pub struct Seat<K: Eq + Hash> {
    taken: Arc<Mutex<HashMap<K, usize>>>,
    key: K,
}

impl<K: Eq + Hash + Clone> Seats<K> {
    /// So many for each.
    #[must_use]
    pub fn new(each: usize) -> Self {
        Self { taken: Arc::default(), each }
    }

    /// A seat for `key`, if it has not all of its own.
    #[must_use]
    pub fn take(&self, key: &K) -> Option<Seat<K>> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(key.clone()).or_default();
        if *count >= self.each {
            return None;
        }
        *count += 1;
        Some(Seat { taken: Arc::clone(&self.taken), key: key.clone() })
    }
}

impl<K: Eq + Hash> Drop for Seat<K> {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_own_seats() {
        let seats = Seats::new(2);
        let first = seats.take(&"a").unwrap();
        let _second = seats.take(&"a").unwrap();
        assert!(seats.take(&"a").is_none());
        let _other = seats.take(&"b").unwrap();
        drop(first);
        assert!(seats.take(&"a").is_some());
        assert_eq!(seats.taken.lock().unwrap().len(), 2, "nothing is kept of who has none");
    }
}
