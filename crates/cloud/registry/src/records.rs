//! What a registry keeps, in the scope (account, Region).

use std::collections::BTreeMap;

use eksile_aws::Caller;
use eksile_store::{Record, Scope};
use serde::{Deserialize, Serialize};

/// A repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Repository {
    pub(crate) name: String,
    /// Whether a tag may be moved to another image.
    pub(crate) mutable: bool,
    pub(crate) scan_on_push: bool,
    /// Seconds since the epoch.
    pub(crate) created: i64,
    pub(crate) tags: BTreeMap<String, String>,
}

impl Repository {
    pub(crate) fn arn(&self, scope: &Scope) -> String {
        format!("arn:aws:ecr:{}:{}:repository/{}", scope.region, scope.account, self.name)
    }

    /// Where images are pushed and pulled, inside the fabric.
    pub(crate) fn uri(&self, scope: &Scope) -> String {
        format!("{}/{}", host(scope), self.name)
    }
}

/// `A.dkr.ecr.R.amazonaws.com`.
pub(crate) fn host(scope: &Scope) -> String {
    format!("{}.dkr.ecr.{}.amazonaws.com", scope.account, scope.region)
}

impl Record for Repository {
    const SERVICE: &'static str = "ecr";
    const KIND: &'static str = "repository";

    fn id(&self) -> &str {
        &self.name
    }
}

/// A blob that a repository holds. The file may be shared; this says who may read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Blob {
    /// `REPOSITORY@DIGEST`.
    pub(crate) id: String,
    pub(crate) repository: String,
    pub(crate) digest: String,
    /// Bytes.
    pub(crate) size: u64,
}

impl Blob {
    pub(crate) fn new(repository: &str, digest: &str, size: u64) -> Self {
        Self { id: held(repository, digest), repository: repository.to_owned(), digest: digest.to_owned(), size }
    }
}

impl Record for Blob {
    const SERVICE: &'static str = "ecr";
    const KIND: &'static str = "blob";

    fn id(&self) -> &str {
        &self.id
    }
}

/// A manifest that a repository holds; its bytes are a file as well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// `REPOSITORY@DIGEST`.
    pub(crate) id: String,
    pub(crate) repository: String,
    pub(crate) digest: String,
    pub(crate) media_type: String,
    /// Bytes.
    pub(crate) size: u64,
    /// Seconds since the epoch.
    pub(crate) pushed: i64,
}

impl Record for Manifest {
    const SERVICE: &'static str = "ecr";
    const KIND: &'static str = "manifest";

    fn id(&self) -> &str {
        &self.id
    }
}

/// A tag of a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tag {
    /// `REPOSITORY:TAG`.
    pub(crate) id: String,
    pub(crate) repository: String,
    pub(crate) tag: String,
    pub(crate) digest: String,
}

impl Tag {
    pub(crate) fn new(repository: &str, tag: &str, digest: &str) -> Self {
        let (repository, tag, digest) = (repository.to_owned(), tag.to_owned(), digest.to_owned());
        Self { id: tagged(&repository, &tag), repository, tag, digest }
    }
}

impl Record for Tag {
    const SERVICE: &'static str = "ecr";
    const KIND: &'static str = "tag";

    fn id(&self) -> &str {
        &self.id
    }
}

/// Id of what a repository holds by digest. No name contains `@`.
pub(crate) fn held(repository: &str, digest: &str) -> String {
    format!("{repository}@{digest}")
}

/// Id of a tag. No name contains `:`.
pub(crate) fn tagged(repository: &str, tag: &str) -> String {
    format!("{repository}:{tag}")
}

/// A password of `GetAuthorizationToken`, by its hash, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Login {
    /// SHA-256 of the password, as a digest.
    pub(crate) hash: String,
    pub(crate) caller: Caller,
    pub(crate) region: String,
    /// Seconds since the epoch, wall time.
    pub(crate) until: i64,
}

impl Login {
    /// Apart from every account: the account is not known before the password.
    pub(crate) fn scope() -> Scope {
        Scope::new("logins", "global")
    }
}

impl Record for Login {
    const SERVICE: &'static str = "ecr";
    const KIND: &'static str = "login";

    fn id(&self) -> &str {
        &self.hash
    }
}
