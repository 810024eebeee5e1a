//! Follow changes.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use eksile_store::{Change, Entry, Revision, Store, Watch, WatchError, WatchItem};
use serde_json::json;
use tokio::time::Instant;

use super::list::{Filter, given_revision, prefix};
use super::options::ListOptions;
use crate::answer::{Answer, Body, JSON};
use crate::call::Call;
use crate::negotiate::{self, Form, Wanted};
use crate::object::{at_revision, shown};
use crate::resource::Resource;
use crate::status::StatusError;
use crate::table::{self, Include};

/// A watch without `timeoutSeconds` ends after this.
const LONGEST: Duration = Duration::from_secs(1800);

/// Kinds of event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It appeared (or came into the selection).
    Added,
    /// It changed.
    Modified,
    /// It is gone (or left the selection).
    Deleted,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Added => "ADDED",
            Self::Modified => "MODIFIED",
            Self::Deleted => "DELETED",
        }
    }
}

/// The events of a collection, selected, in order.
pub(crate) struct Events {
    resource: Arc<Resource>,
    filter: Filter,
    initial: VecDeque<Entry>,
    watch: Watch,
    after: u64,
}

/// What [`Events`] hands out.
pub(crate) enum Item {
    /// An object as stored (for a deletion: as it was, at the revision of its end).
    Event(Kind, Bytes),
    /// Everything up to here was handed out.
    Progress(u64),
}

impl Events {
    /// Events after `revision`, after one ADDED for each of `initial`.
    pub(crate) fn new(
        store: &Store,
        resource: Arc<Resource>,
        prefix: &str,
        filter: Filter,
        initial: Vec<Entry>,
        revision: u64,
    ) -> Result<Self, StatusError> {
        let after = revision.min(store.revision().0);
        let watch = store.watch(prefix, Revision(after)).map_err(|_| too_old(revision, store.oldest().0))?;
        Ok(Self { resource, filter, initial: initial.into(), watch, after: revision })
    }

    /// The next one; an error ends the watch.
    pub(crate) async fn next(&mut self) -> Result<Item, WatchError> {
        while let Some(entry) = self.initial.pop_front() {
            if self.filter.matches(&self.resource, &entry.key, &entry.value) {
                return Ok(Item::Event(Kind::Added, shown(&self.resource, &entry.value)));
            }
        }
        loop {
            match self.watch.next().await? {
                WatchItem::Progress(revision) => return Ok(Item::Progress(revision.0)),
                WatchItem::Change(change) if change.revision.0 <= self.after => {}
                WatchItem::Change(change) => {
                    if let Some((kind, object)) = self.event(&change) {
                        return Ok(Item::Event(kind, shown(&self.resource, &object)));
                    }
                }
            }
        }
    }

    /// An end as it is told.
    pub(crate) fn told(&self, end: WatchError) -> StatusError {
        match end {
            WatchError::Compacted => too_old(self.after, 0),
            WatchError::Closed => StatusError::new(500, "InternalError", "the store was closed"),
        }
    }

    fn event(&self, change: &Change) -> Option<(Kind, Bytes)> {
        let selected = |stored: &Bytes| self.filter.matches(&self.resource, &change.key, stored);
        let was = change.previous.as_ref().filter(|e| selected(&e.value));
        let is = change.value.as_ref().filter(|v| selected(v));
        match (was, is) {
            (None, None) => None,
            (None, Some(now)) => Some((Kind::Added, now.clone())),
            (Some(_), Some(now)) => Some((Kind::Modified, now.clone())),
            (Some(before), None) => {
                Some((Kind::Deleted, at_revision(&self.resource, &before.value, change.revision.0)))
            }
        }
    }
}

fn too_old(asked: u64, oldest: u64) -> StatusError {
    StatusError::expired(format!("too old resource version: {asked} ({oldest})"))
}

/// One response's stream.
struct Stream {
    events: Option<Events>,
    ready: VecDeque<Bytes>,
    resource: Arc<Resource>,
    wanted: Wanted,
    include: Include,
    now: jiff::Timestamp,
    first: bool,
    bookmarks: bool,
    deadline: Instant,
}

pub(super) fn run(call: &Call<'_>) -> Result<Answer, StatusError> {
    let ListOptions { filter, timeout, .. } = ListOptions::read(call)?;
    let revision = given_revision(call).map_err(StatusError::unexplained)?;
    let wanted = negotiate::wanted_stream(call.head.accept)?;
    let include = Include::read(call.query)?;
    let bookmarks = call.query.flag("allowWatchBookmarks");
    let timeout = match timeout {
        Some(seconds) if seconds > 0 => Duration::from_secs(seconds.unsigned_abs()),
        _ => LONGEST,
    };
    let mut stream = Stream {
        events: None,
        ready: VecDeque::new(),
        resource: call.resource.clone(),
        wanted,
        include,
        now: call.now,
        first: true,
        bookmarks,
        deadline: Instant::now() + timeout,
    };
    match open(call, filter, revision) {
        // An event carries no list; upstream's stream ends before its first.
        Ok(_) if wanted.form == Form::PartialList => {}
        Ok(events) => stream.events = Some(events),
        Err(error) => stream.ready.push_back(error_line(&error)),
    }
    let body =
        futures::stream::unfold(stream, |mut stream| async move { stream.next().await.map(|bytes| (bytes, stream)) });
    Ok(Answer { code: 200, content: JSON, body: Body::Stream(Box::pin(body)), warnings: Vec::new(), etag: None })
}

/// Opens the events. Without a revision, or from any, what is there comes first.
fn open(call: &Call<'_>, filter: Filter, given: Option<u64>) -> Result<Events, StatusError> {
    let prefix = prefix(call);
    let store = &call.door.store;
    let view = store.view();
    let (initial, revision) = match given {
        None | Some(0) => (view.scan(&prefix, None, usize::MAX), view.revision().0),
        Some(revision) => (Vec::new(), revision),
    };
    Events::new(store, call.resource.clone(), &prefix, filter, initial, revision)
}

impl Stream {
    /// The next line or lines; `None` ends the answer.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(line) = self.ready.pop_front() {
                return Some(line);
            }
            let events = self.events.as_mut()?;
            let item = tokio::time::timeout_at(self.deadline, events.next()).await.ok()?;
            match item {
                Ok(Item::Event(kind, object)) => return Some(self.line(kind, &object)),
                Ok(Item::Progress(revision)) if self.bookmarks => return Some(self.bookmark(revision)),
                Ok(Item::Progress(_)) => {}
                Err(end) => {
                    self.ready.push_back(error_line(&events.told(end)));
                    self.events = None;
                }
            }
        }
    }

    fn line(&mut self, kind: Kind, object: &Bytes) -> Bytes {
        let converted;
        let object = if self.wanted.form == Form::Object {
            object
        } else {
            match table::event(&self.resource, object, self.wanted, self.include, self.now, self.first) {
                Ok(bytes) => converted = bytes,
                Err(error) => return error_line(&error),
            }
            self.first = false;
            &converted
        };
        framed(kind.name(), object)
    }

    fn bookmark(&self, revision: u64) -> Bytes {
        let metadata = json!({ "resourceVersion": revision.to_string(), "creationTimestamp": null });
        let object = match self.wanted.form {
            Form::Object => {
                json!({ "kind": *self.resource.kind, "apiVersion": *self.resource.api_version, "metadata": metadata })
            }
            Form::Partial | Form::PartialList => json!({
                "kind": "PartialObjectMetadata", "apiVersion": format!("meta.k8s.io/{}", self.wanted.version), "metadata": metadata
            }),
            Form::Table => json!({
                "kind": "Table", "apiVersion": format!("meta.k8s.io/{}", self.wanted.version),
                "metadata": { "resourceVersion": revision.to_string() }, "columnDefinitions": null, "rows": []
            }),
        };
        framed("BOOKMARK", object.to_string().as_bytes())
    }
}

fn framed(kind: &str, object: &[u8]) -> Bytes {
    let mut line = BytesMut::with_capacity(object.len() + 40);
    line.put_slice(b"{\"type\":\"");
    line.put_slice(kind.as_bytes());
    line.put_slice(b"\",\"object\":");
    line.put_slice(object);
    line.put_slice(b"}\n");
    line.freeze()
}

fn error_line(error: &StatusError) -> Bytes {
    framed("ERROR", &serde_json::to_vec(&*error.0).unwrap_or_default())
}
