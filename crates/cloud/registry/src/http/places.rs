//! How many uploads there may be at once: of all accounts, and of each.
//!
//! Counted apart from the uploads themselves: whose one is must be known while a chunk of it comes in, too.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::Problem;

/// Uploads at once, of all accounts.
const LIMIT: usize = 1024;
/// Uploads at once of one account, so that none can take all of them from the others; more is a client gone wrong.
const SHARE: usize = 256;

/// The places taken, by account.
#[derive(Debug, Default, Clone)]
pub(super) struct Places(Arc<Mutex<HashMap<String, usize>>>);

/// One of them, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Places,
    account: String,
}

impl Places {
    /// A place for an upload of an account.
    pub(super) fn take(&self, account: &str) -> Result<Place, Problem> {
        let mut taken = self.0.lock().map_err(|_| Problem::Internal)?;
        let (all, own) = (taken.values().sum::<usize>(), taken.get(account).copied().unwrap_or(0));
        if all >= LIMIT || own >= SHARE {
            return Err(Problem::UploadInvalid("too many uploads at once".to_owned()));
        }
        taken.insert(account.to_owned(), own + 1);
        Ok(Place { places: self.clone(), account: account.to_owned() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Where the lock is poisoned nobody gets a place again; so none need be given back.
        let Ok(mut taken) = self.places.0.lock() else { return };
        if let Some(own) = taken.get_mut(&self.account) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                taken.remove(&self.account);
            }
        }
    }
}
