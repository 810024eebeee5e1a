use std::fmt;

use crate::{Record, Scope};

/// A record's key, taken apart: `/ACCOUNT/REGION/SERVICE/KIND/ID`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key<'a> {
    /// Twelve digits, or a word such as `observed`.
    pub account: &'a str,
    /// Such as `us-west-2`.
    pub region: &'a str,
    /// [`Record::SERVICE`].
    pub service: &'a str,
    /// [`Record::KIND`].
    pub kind: &'a str,
    /// [`Record::id`]; may contain `/`.
    pub id: &'a str,
}

/// Not a record's key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a record's key: {0:?}")]
pub struct KeyError(String);

impl<'a> Key<'a> {
    /// Takes a key apart.
    ///
    /// # Errors
    /// When it has not five parts, none of them empty.
    pub fn parse(key: &'a str) -> Result<Key<'a>, KeyError> {
        let mut parts = key.strip_prefix('/').unwrap_or_default().splitn(5, '/');
        let mut part = || parts.next().filter(|part| !part.is_empty()).ok_or_else(|| KeyError(key.to_owned()));
        Ok(Key { account: part()?, region: part()?, service: part()?, kind: part()?, id: part()? })
    }

    /// Whose record.
    #[must_use]
    pub fn scope(&self) -> Scope {
        Scope::new(self.account, self.region)
    }

    /// Whether it is of kind `R`.
    #[must_use]
    pub fn is<R: Record>(&self) -> bool {
        self.service == R::SERVICE && self.kind == R::KIND
    }
}

impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}/{}/{}/{}/{}", self.account, self.region, self.service, self.kind, self.id)
    }
}

impl Scope {
    /// The scope of `account` in `region`.
    #[must_use]
    pub fn new(account: impl Into<String>, region: impl Into<String>) -> Scope {
        Scope { account: account.into(), region: region.into() }
    }

    /// The scope of what the site named `site` observed.
    #[must_use]
    pub fn observed(site: impl Into<String>) -> Scope {
        Scope::new("observed", site)
    }

    /// The key of the `R` with that id.
    #[must_use]
    pub fn key<R: Record>(&self, id: &str) -> String {
        format!("/{}/{}/{}/{}/{id}", self.account, self.region, R::SERVICE, R::KIND)
    }

    /// What the keys of all `R` in this scope begin with.
    #[must_use]
    pub fn prefix<R: Record>(&self) -> String {
        self.key::<R>("")
    }
}
