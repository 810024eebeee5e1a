//! A request that has been located, authenticated and authorized, on its way to a verb.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use crate::caller::Caller;
use crate::door::Door;
use crate::field::FieldErrors;
use crate::locate::ResourceRequest;
use crate::query::Query;
use crate::resource::Resource;
use crate::status::StatusError;
use crate::strategy::Context;
use eksile_apimachinery::schema::Schema;

/// The headers that verbs look at.
#[derive(Debug, Clone, Copy, Default)]
pub struct Head<'a> {
    /// `Accept`.
    pub accept: Option<&'a str>,
    /// `Content-Type`.
    pub content_type: Option<&'a str>,
    /// `User-Agent`, empty when missing.
    pub user_agent: &'a str,
}

/// What is said of a request in `Warning` headers, whatever becomes of it: each text once, in the order of saying.
/// Of more than headers can carry, each is cut, and the last are left out, as upstream's recorder does.
#[derive(Debug, Default)]
pub struct Warnings(Mutex<Said>);

#[derive(Debug, Default)]
struct Said {
    texts: Vec<String>,
    known: HashSet<String>,
    /// Characters of all texts.
    length: usize,
    /// Whether texts are cut, because together they were too long.
    cutting: bool,
}

/// Characters that all warnings of an answer may have (`k8s.io/apiserver/pkg/endpoints/filters/warning.go`).
const ALL_WARNINGS: usize = 4 * 1024;
/// Characters of each, once all of them are longer than that.
const CUT_WARNING: usize = 256;

impl Said {
    fn add(&mut self, text: String) {
        if (self.cutting && self.length >= ALL_WARNINGS) || text.is_empty() || !self.known.insert(text.clone()) {
            return;
        }
        let length = text.chars().count();
        self.texts.push(text);
        if !self.cutting && self.length + length <= ALL_WARNINGS {
            self.length += length;
            return;
        }
        let cut_before = if std::mem::replace(&mut self.cutting, true) { self.texts.len() - 1 } else { 0 };
        if cut_before == 0 {
            self.length = 0;
        }
        for text in &mut self.texts[cut_before..] {
            if let Some((at, _)) = text.char_indices().nth(CUT_WARNING) {
                text.truncate(at);
            }
            self.length += text.chars().count();
        }
    }
}

impl Warnings {
    /// Says something.
    pub fn say(&self, texts: impl IntoIterator<Item = String>) {
        let mut said = self.0.lock();
        texts.into_iter().for_each(|text| said.add(text));
    }

    /// What was said so far.
    #[must_use]
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock()).texts
    }
}

/// A request for a verb.
pub struct Call<'a> {
    /// The door.
    pub door: &'a Arc<Door>,
    /// Who asks.
    pub caller: &'a Arc<Caller>,
    /// About what.
    pub resource: &'a Arc<Resource>,
    /// Where.
    pub at: &'a ResourceRequest,
    /// With which parameters.
    pub query: &'a Query<'a>,
    /// And headers.
    pub head: Head<'a>,
    /// And body.
    pub body: Bytes,
    /// What is said of it beside the answer.
    pub warnings: &'a Warnings,
    /// When.
    pub now: jiff::Timestamp,
}

impl Call<'_> {
    /// The namespace of the objects concerned; empty for kinds without namespaces.
    #[must_use]
    pub fn namespace(&self) -> &str {
        if self.resource.namespaced { &self.at.namespace } else { "" }
    }

    /// Key of the object.
    #[must_use]
    pub fn key(&self) -> String {
        self.resource.key(self.namespace(), &self.at.name)
    }

    /// The circumstances, for the strategy.
    #[must_use]
    pub fn context(&self) -> Context<'_> {
        Context {
            user: &self.caller.user,
            now: self.now,
            namespace: self.namespace(),
            name: &self.at.name,
            sub: &self.at.sub,
            cluster: self.door.as_ref(),
        }
    }

    /// The schema of the kind.
    ///
    /// # Errors
    /// 500 when the table lacks it.
    pub fn schema(&self) -> Result<&Schema, StatusError> {
        self.door.schema(&self.resource.schema)
    }

    /// 422 about the fields of the object, under the kind that it is stored as.
    #[must_use]
    pub fn invalid(&self, name: &str, errors: &FieldErrors) -> StatusError {
        StatusError::invalid(&self.resource.hub_group, &self.resource.kind, name, errors)
    }

    /// 404 about the object.
    #[must_use]
    pub fn not_found(&self) -> StatusError {
        StatusError::not_found(&self.resource.group, &self.resource.plural, &self.at.name)
    }

    /// 409 about the object.
    #[must_use]
    pub fn conflict(&self, why: &str) -> StatusError {
        StatusError::conflict(&self.resource.group, &self.resource.plural, &self.at.name, why)
    }
}
