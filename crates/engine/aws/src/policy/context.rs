//! The keys that conditions and variables read.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Condition keys of one request and their values. Keys do not depend on case.
#[derive(Debug, Clone, Default)]
pub struct Context {
    own: BTreeMap<String, Vec<String>>,
    /// What is asked where this one has no such key.
    under: Option<Arc<Context>>,
}

impl Context {
    /// An empty one that answers as `under` does for every key that it is not given.
    #[must_use]
    pub fn over(under: Arc<Context>) -> Self {
        Self { own: BTreeMap::new(), under: Some(under) }
    }

    /// Sets a key with one value.
    pub fn set(&mut self, key: &str, value: impl Into<String>) {
        self.own.insert(key.to_ascii_lowercase(), vec![value.into()]);
    }

    /// Sets a key with several values. Without any, the key is not there: AWS tells no empty list from no list.
    pub fn set_all(&mut self, key: &str, values: Vec<String>) {
        if !values.is_empty() {
            self.own.insert(key.to_ascii_lowercase(), values);
        }
    }

    /// One more value of a key.
    pub fn add(&mut self, key: &str, value: impl Into<String>) {
        self.own.entry(key.to_ascii_lowercase()).or_default().push(value.into());
    }

    /// `PREFIX/TAG` for every tag. Tags whose keys differ in case alone are one key with several values.
    pub fn tags<'a>(&mut self, prefix: &str, tags: impl IntoIterator<Item = (&'a String, &'a String)>) {
        for (key, value) in tags {
            self.add(&format!("{prefix}/{key}"), value);
        }
    }

    /// Takes over every key of another, whose values win.
    pub fn extend(&mut self, other: Self) {
        self.own.extend(other.own);
    }

    /// The key's values; `None` when the request has no such key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&[String]> {
        self.look(&key.to_ascii_lowercase())
    }

    /// Every key that is set, in lower case.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.own.keys().map(String::as_str)
    }

    /// As [`Context::get`], of a key that is in lower case already.
    pub(crate) fn look(&self, key: &str) -> Option<&[String]> {
        match self.own.get(key) {
            Some(values) => Some(values),
            None => self.under.as_deref()?.look(key),
        }
    }

    /// The value of a key (in lower case) that has exactly one.
    pub(crate) fn single(&self, key: &str) -> Option<&str> {
        match self.look(key)? {
            [value] => Some(value),
            _ => None,
        }
    }
}
