//! Policies compiled once, not at every call.
//!
//! What was compiled is kept with the very bytes that it was compiled from, and is good for as long as a read finds those
//! bytes: there is nothing to invalidate.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use eksile_aws::policy::{Document, MalformedPolicy};
use eksile_aws::{Policies, Reads};
use eksile_store::{Entry, Record, RecordError, Scope};
use parking_lot::Mutex;

use crate::directory::customer_managed;
use crate::managed::Managed;
use crate::records::{Grants, Policy, Role, Tags, User};

/// How many records and texts are kept compiled; beyond, all are forgotten and compiled anew as they are used.
const MOST: usize = 8_192;

/// A user or role, its policies compiled.
pub(crate) struct Identity {
    /// `AIDA…` or `AROA…`.
    pub(crate) id: String,
    pub(crate) tags: Arc<Tags>,
    /// By name.
    pub(crate) inline: Vec<(String, Arc<Document>)>,
    attached: Vec<String>,
    boundary: Option<String>,
}

/// Everything compiled so far.
#[derive(Default)]
pub(crate) struct Compiled {
    users: Kept<Identity>,
    roles: Kept<Identity>,
    /// `None` of a policy without a version in force.
    policies: Kept<(String, Option<Arc<Document>>)>,
    texts: Mutex<HashMap<String, Arc<Document>>>,
}

type Kept<T> = Mutex<HashMap<String, (Bytes, Arc<T>)>>;

impl Compiled {
    /// The user of that name.
    pub(crate) fn user(
        &self,
        state: Reads<'_>,
        scope: &Scope,
        name: &str,
    ) -> Result<Option<Arc<Identity>>, RecordError> {
        let compile = |user: User| Identity::of(user.user_id, &user.grants, user.tags);
        kept(&self.users, state, &scope.key::<User>(name), compile)
    }

    /// The role of that name.
    pub(crate) fn role(
        &self,
        state: Reads<'_>,
        scope: &Scope,
        name: &str,
    ) -> Result<Option<Arc<Identity>>, RecordError> {
        let compile = |role: Role| Identity::of(role.role_id, &role.grants, role.tags);
        kept(&self.roles, state, &scope.key::<Role>(name), compile)
    }

    /// The policies that bind an identity.
    pub(crate) fn policies(&self, state: Reads<'_>, identity: &Identity) -> Result<Policies, RecordError> {
        let inline = identity.inline.iter().map(|(_, document)| document.clone());
        let attached = self.attached(state, identity)?.into_iter().map(|(_, document)| document);
        let boundary = self.boundary(state, identity)?;
        let tags = identity.tags.clone();
        Ok(Policies { identity: inline.chain(attached).collect(), boundary, tags, ..Policies::default() })
    }

    /// The policies attached to an identity, by ARN.
    pub(crate) fn attached<'a>(
        &self,
        state: Reads<'_>,
        identity: &'a Identity,
    ) -> Result<Vec<(&'a str, Arc<Document>)>, RecordError> {
        // What is attached cannot be deleted, so that this is nothing usual: who knows what it denied?
        let found = |arn: &'a String| Ok((&**arn, self.managed(state, arn)?.unwrap_or_else(|| gone(arn))));
        identity.attached.iter().map(found).collect()
    }

    /// What bounds an identity. A boundary that is gone bounds everything.
    pub(crate) fn boundary(&self, state: Reads<'_>, identity: &Identity) -> Result<Option<Arc<Document>>, RecordError> {
        let Some(arn) = &identity.boundary else { return Ok(None) };
        Ok(Some(self.managed(state, arn)?.unwrap_or_else(|| Arc::new(Document::nothing()))))
    }

    /// A policy given as a text.
    pub(crate) fn text(&self, text: &str) -> Arc<Document> {
        let mut texts = self.texts.lock();
        if let Some(document) = texts.get(text) {
            return document.clone();
        }
        let document = compiled(text);
        make_room(&mut texts);
        texts.insert(text.to_owned(), document.clone());
        document
    }

    /// The document in force of a managed policy; `None` when there is no such policy.
    fn managed(&self, state: Reads<'_>, arn: &str) -> Result<Option<Arc<Document>>, RecordError> {
        if let Some(managed) = Managed::by_arn(arn) {
            return Ok(Some(self.text(managed.text())));
        }
        let Some((scope, name)) = customer_managed(arn) else { return Ok(None) };
        let compile = |policy: Policy| {
            let version = policy.version(policy.default_version).map(|version| compiled(&version.document));
            (policy.arn(&scope.account), version)
        };
        let found = kept(&self.policies, state, &scope.key::<Policy>(name), compile)?;
        Ok(found.and_then(|found| (found.0 == arn).then(|| found.1.clone()).flatten()))
    }
}

impl Identity {
    fn of(id: String, grants: &Grants, tags: Tags) -> Self {
        Self {
            id,
            tags: Arc::new(tags),
            inline: grants.inline.iter().map(|(name, text)| (name.clone(), compiled(text))).collect(),
            attached: grants.attached.clone(),
            boundary: grants.boundary.clone(),
        }
    }
}

fn kept<R: Record, T>(
    kept: &Kept<T>,
    state: Reads<'_>,
    key: &str,
    compile: impl FnOnce(R) -> T,
) -> Result<Option<Arc<T>>, RecordError> {
    let Some(entry) = state.entry(key) else { return Ok(None) };
    if let Some((bytes, value)) = kept.lock().get(key)
        && is_same(bytes, &entry)
    {
        return Ok(Some(value.clone()));
    }
    let value = Arc::new(compile(entry.decode()?));
    let mut kept = kept.lock();
    make_room(&mut kept);
    kept.insert(key.to_owned(), (entry.value, value.clone()));
    Ok(Some(value))
}

/// Mostly it is the same place in memory, which is found out at once.
fn is_same(bytes: &Bytes, entry: &Entry) -> bool {
    let same_place = bytes.as_ptr() == entry.value.as_ptr() && bytes.len() == entry.value.len();
    same_place || *bytes == entry.value
}

fn make_room<T>(kept: &mut HashMap<String, T>) {
    if kept.len() >= MOST {
        kept.clear();
    }
}

/// Documents are checked when they come in. One that cannot be read now denies everything, rather than be left out.
fn compiled(text: &str) -> Arc<Document> {
    Arc::new(Document::identity(text).unwrap_or_else(|error: MalformedPolicy| {
        tracing::error!(%error, "a stored policy cannot be evaluated; it denies everything");
        Document::denial()
    }))
}

fn gone(arn: &str) -> Arc<Document> {
    tracing::error!(arn, "an attached policy is gone; whom it is attached to is denied everything");
    Arc::new(Document::denial())
}
