//! The keys that conditions and variables read.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Condition keys of one request and their values. Keys do not depend on case.
#[derive(Debug, Clone, Default)]
pub struct Context {
    own: BTreeMap<String, Values>,
    /// What is asked where this one has no such key.
    under: Option<Arc<Context>>,
}

/// What a key is given.
#[derive(Debug, Clone)]
pub(crate) struct Values {
    pub(crate) all: Vec<String>,
    /// Whether they contradict one another: the key has one value, and nobody knows which.
    pub(crate) unsure: bool,
}

/// How a context is read in which a key of one value has several: what is denied for one of them is denied, and what is
/// allowed must be allowed for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// As it is for some of the values.
    Some,
    /// As it is for every value.
    Every,
}

impl Reading {
    /// The reading for what must not be.
    pub(crate) fn unless(self, negated: bool) -> Self {
        match (self, negated) {
            (Self::Some, true) => Self::Every,
            (Self::Every, true) => Self::Some,
            (same, false) => same,
        }
    }

    /// Whether it is so for some, or for every one.
    pub(crate) fn holds<T>(self, of: impl IntoIterator<Item = T>, mut is: impl FnMut(T) -> bool) -> bool {
        let mut of = of.into_iter();
        match self {
            Self::Some => of.any(&mut is),
            Self::Every => of.all(&mut is),
        }
    }
}

impl Context {
    /// An empty one that answers as `under` does for every key that it is not given.
    #[must_use]
    pub fn over(under: Arc<Context>) -> Self {
        Self { own: BTreeMap::new(), under: Some(under) }
    }

    /// Sets a key with one value.
    pub fn set(&mut self, key: &str, value: impl Into<String>) {
        self.own.insert(key.to_ascii_lowercase(), Values { all: vec![value.into()], unsure: false });
    }

    /// Sets a key with several values. Without any, the key is not there: AWS tells no empty list from no list.
    pub fn set_all(&mut self, key: &str, values: Vec<String>) {
        if !values.is_empty() {
            self.own.insert(key.to_ascii_lowercase(), Values { all: values, unsure: false });
        }
    }

    /// `PREFIX/TAG` for every tag. Tags whose keys differ in case alone are one key, and nobody knows of which value.
    pub fn tags<'a>(&mut self, prefix: &str, tags: impl IntoIterator<Item = (&'a String, &'a String)>) {
        for (key, value) in tags {
            let key = format!("{prefix}/{key}").to_ascii_lowercase();
            let values = self.own.entry(key).or_insert_with(|| Values { all: Vec::new(), unsure: false });
            values.unsure |= values.all.iter().any(|other| other != value);
            values.all.push(value.clone());
        }
    }

    /// Takes over every key of another, whose values win.
    pub fn extend(&mut self, other: Self) {
        self.own.extend(other.own);
    }

    /// The key's values; `None` when the request has no such key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&[String]> {
        self.look(&key.to_ascii_lowercase()).map(|values| &*values.all)
    }

    /// Every key that is set, in lower case.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.own.keys().map(String::as_str)
    }

    /// As [`Context::get`], of a key that is in lower case already.
    pub(crate) fn look(&self, key: &str) -> Option<&Values> {
        match self.own.get(key) {
            Some(values) => Some(values),
            None => self.under.as_deref()?.look(key),
        }
    }
}
