//! Second station: who asks?
//!
//! A bearer token goes before a client certificate, as upstream's union has it the other way round only for requests
//! that carry both; a bad token or certificate is 401, none at all is anonymous.

pub mod impersonate;
pub mod static_tokens;
pub mod x509;

use std::collections::HashMap;
use std::sync::Arc;

use eksile_store::{Revision, Store};
use futures::future::BoxFuture;
use parking_lot::RwLock;

use crate::caller::Caller;
use crate::strategy::User;

/// Tokens remembered at most; beyond it all are forgotten.
const REMEMBERED: usize = 10_000;
/// Longest token that is looked at, bytes.
const LONGEST: usize = 16 * 1024;

/// What an authenticator says about a token.
#[derive(Debug)]
pub enum Verdict {
    /// The bearer.
    Known(Known),
    /// Not a token of its kind: ask the next.
    NotMine,
    /// A token of its kind that is not valid; the text is for the log.
    Refused(String),
}

/// A bearer that is known, and for how long that may be remembered.
#[derive(Debug)]
pub struct Known {
    /// The bearer.
    pub user: User,
    /// Wall time; `None` for ever.
    pub until: Option<jiff::Timestamp>,
    /// Objects that must go on existing.
    pub anchors: Vec<Anchor>,
}

/// An object, from its creation to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    /// Its key.
    pub key: String,
    /// The revision at which it was made.
    pub created: Revision,
}

/// Tells bearers of tokens.
pub trait Authenticator: Send + Sync {
    /// Looks at a token.
    fn authenticate<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Verdict>;
}

struct Remembered {
    caller: Arc<Caller>,
    until: Option<jiff::Timestamp>,
    anchors: Vec<Anchor>,
}

/// All authenticators, and the tokens they told lately.
pub struct Tokens {
    authenticators: Vec<Box<dyn Authenticator>>,
    remembered: RwLock<HashMap<Box<str>, Remembered>>,
}

impl Tokens {
    /// These authenticators, asked in order.
    #[must_use]
    pub fn new(authenticators: Vec<Box<dyn Authenticator>>) -> Self {
        Self { authenticators, remembered: RwLock::new(HashMap::new()) }
    }

    /// The bearer of a token; `None` when nobody knows it.
    pub async fn bearer(&self, token: &str, store: &Store, now: jiff::Timestamp) -> Option<Arc<Caller>> {
        if let Some(caller) = self.recall(token, store, now) {
            return Some(caller);
        }
        if token.len() > LONGEST {
            return None;
        }
        for authenticator in &self.authenticators {
            match authenticator.authenticate(token).await {
                Verdict::Known(known) => return Some(self.remember(token, known)),
                Verdict::NotMine => {}
                Verdict::Refused(why) => {
                    tracing::info!(why, "token refused");
                    return None;
                }
            }
        }
        None
    }

    fn recall(&self, token: &str, store: &Store, now: jiff::Timestamp) -> Option<Arc<Caller>> {
        let remembered = self.remembered.read();
        let found = remembered.get(token)?;
        if found.until.is_some_and(|until| now >= until) {
            return None;
        }
        if !found.anchors.is_empty() {
            let view = store.view();
            let held = |a: &Anchor| view.get(&a.key).is_some_and(|e| e.created == a.created);
            if !found.anchors.iter().all(held) {
                return None;
            }
        }
        Some(found.caller.clone())
    }

    fn remember(&self, token: &str, known: Known) -> Arc<Caller> {
        let caller = Caller::authenticated(known.user);
        let mut remembered = self.remembered.write();
        if remembered.len() >= REMEMBERED {
            remembered.clear();
        }
        let entry = Remembered { caller: caller.clone(), until: known.until, anchors: known.anchors };
        remembered.insert(token.into(), entry);
        caller
    }
}
