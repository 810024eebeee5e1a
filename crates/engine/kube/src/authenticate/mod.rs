//! Second station: who asks?
//!
//! A client certificate that holds goes before a bearer token; with one that does not, the token decides. A bad token
//! or certificate alone is 401, none at all is anonymous.

pub mod bearer;
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

/// Upstream's words for a token that nobody knows.
const UNKNOWN: &str = "invalid bearer token";

/// A list as Go prints it with `%q`.
fn quoted(list: &[String]) -> String {
    let shown: Vec<String> = list.iter().map(|one| crate::field::quote(one)).collect();
    format!("[{}]", shown.join(" "))
}

/// What an authenticator says about a token.
#[derive(Debug)]
pub enum Verdict {
    /// The bearer.
    Known(Known),
    /// Not a token of its kind: ask the next.
    NotMine,
    /// A token of its kind that is not valid; the text is for the log and for whoever has the token reviewed.
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
    /// Whom the token may be shown to; `None` for tokens that say nothing about it: to this server.
    pub audiences: Option<Vec<String>>,
}

/// A bearer, and which of the audiences that were asked about may be shown the token.
pub struct Bearer {
    /// Who it is.
    pub caller: Arc<Caller>,
    /// At least one.
    pub audiences: Vec<String>,
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
    own: String,
    remembered: RwLock<HashMap<Box<str>, Remembered>>,
}

impl Tokens {
    /// These authenticators, asked in order, for a server that is the audience `own`.
    #[must_use]
    pub fn new(authenticators: Vec<Box<dyn Authenticator>>, own: String) -> Self {
        Self { authenticators, own, remembered: RwLock::new(HashMap::new()) }
    }

    /// The bearer of a token for this server; `None` when nobody knows it.
    pub async fn bearer(&self, token: &str, store: &Store, now: jiff::Timestamp) -> Option<Arc<Caller>> {
        if let Some(caller) = self.recall(token, store, now) {
            return Some(caller);
        }
        // Why not was logged, when there is more to say than that nobody knows it.
        let (known, _) = self.judge(token, std::slice::from_ref(&self.own)).await.ok()?;
        Some(self.remember(token, known))
    }

    /// The bearer of a token for some of these audiences; for this server when there are none.
    ///
    /// # Errors
    /// Upstream's words for a token that nobody knows, or that is meant for others.
    pub async fn review(&self, token: &str, audiences: &[String]) -> Result<Bearer, String> {
        let own = std::slice::from_ref(&self.own);
        let (known, audiences) = self.judge(token, if audiences.is_empty() { own } else { audiences }).await?;
        Ok(Bearer { caller: Caller::authenticated(known.user), audiences })
    }

    async fn judge(&self, token: &str, wanted: &[String]) -> Result<(Known, Vec<String>), String> {
        if token.len() <= LONGEST {
            for authenticator in &self.authenticators {
                match authenticator.authenticate(token).await {
                    Verdict::Known(known) => return self.meant_for(known, wanted),
                    Verdict::NotMine => {}
                    Verdict::Refused(why) => {
                        tracing::info!(why, "token refused");
                        return Err(format!("[{UNKNOWN}, {why}]"));
                    }
                }
            }
        }
        Err(UNKNOWN.to_owned())
    }

    /// The audiences of a token that are wanted.
    fn meant_for(&self, known: Known, wanted: &[String]) -> Result<(Known, Vec<String>), String> {
        let meant = known.audiences.as_deref().unwrap_or(std::slice::from_ref(&self.own));
        let both: Vec<String> = meant.iter().filter(|one| wanted.contains(one)).cloned().collect();
        match &known.audiences {
            _ if !both.is_empty() => Ok((known, both)),
            None => Err(UNKNOWN.to_owned()),
            Some(meant) => {
                let (meant, wanted) = (quoted(meant), quoted(wanted));
                Err(format!("[{UNKNOWN}, token audiences {meant} is invalid for the target audiences {wanted}]"))
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Knows every token, and whom it may be shown to: the words of the token, or nobody in particular.
    struct Words;

    impl Authenticator for Words {
        fn authenticate<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Verdict> {
            let audiences = match token {
                "any" => None,
                words => Some(words.split(' ').map(str::to_owned).collect()),
            };
            let known = Known { user: User::default(), until: None, anchors: Vec::new(), audiences };
            Box::pin(std::future::ready(Verdict::Known(known)))
        }
    }

    async fn shown_to(token: &str, asked: &[&str]) -> Result<Vec<String>, String> {
        let tokens = Tokens::new(vec![Box::new(Words)], "own".to_owned());
        let asked: Vec<String> = asked.iter().map(|&a| a.to_owned()).collect();
        tokens.review(token, &asked).await.map(|bearer| bearer.audiences)
    }

    #[tokio::test]
    async fn a_token_is_for_its_audiences_alone() {
        assert_eq!(shown_to("a b own", &["c", "own", "a"]).await, Ok(vec!["a".to_owned(), "own".to_owned()]));
        assert_eq!(shown_to("own", &[]).await, Ok(vec!["own".to_owned()]));
        assert_eq!(shown_to("any", &["own"]).await, Ok(vec!["own".to_owned()]));
        assert_eq!(shown_to("any", &["a"]).await, Err(UNKNOWN.to_owned()));
        let why = "[invalid bearer token, token audiences [\"a\" \"b\"] is invalid for the target audiences [\"own\"]]";
        assert_eq!(shown_to("a b", &[]).await, Err(why.to_owned()));
    }
}
