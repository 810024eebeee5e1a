//! Read many objects: a header and the stored bytes.

use std::borrow::Cow;
use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use eksile_store::{Entry, Revision, View, ViewError};
use serde_json::{Value, json};

use super::options::ListOptions;
use super::page::Continue;
use crate::answer::{Answer, Body, JSON};
use crate::call::Call;
use crate::field::{FieldErrors, quote};
use crate::locate::ResourceRequest;
use crate::negotiate::{Form, Wanted};
use crate::object::{item, labels, shown};
use crate::resource::Resource;
use crate::selector::{FieldSelector, LabelSelector};
use crate::status::{Cause, Details, StatusError};
use crate::table;

/// Objects read at a time while a selector looks for matches.
const PAGE: usize = 500;
/// Pieces of a large answer that are made of small objects; small enough to come from the heap rather than the kernel.
const PIECE: usize = 64 * 1024;
/// Objects of this size are sent as they are stored.
const LARGE: usize = 2 * 1024;

/// What a list or watch selects.
#[derive(Default)]
pub(crate) struct Filter {
    labels: LabelSelector,
    fields: FieldSelector,
}

impl Filter {
    /// Checks the selectors of a call, and confines them to what was authorized.
    pub(crate) fn read(call: &Call<'_>) -> Result<Self, StatusError> {
        let filter = Self::of(call.at)?;
        filter.check(call.resource)?;
        filter.confined(&call.at.name)
    }

    /// The selectors of a request.
    pub(crate) fn of(at: &ResourceRequest) -> Result<Self, StatusError> {
        Ok(Self { labels: at.selectors.labels.clone()?, fields: at.selectors.fields.clone()? })
    }

    /// The same, for the one object that the request names; for all when it names none.
    pub(crate) fn confined(mut self, name: &str) -> Result<Self, StatusError> {
        if name.is_empty() {
            return Ok(self);
        }
        if self.fields.is_empty() {
            self.fields = FieldSelector::equal("metadata.name", name);
        } else if self.fields.exact("metadata.name") != Some(name) {
            return Err(StatusError::bad_request("fieldSelector metadata.name doesn't match requested name"));
        }
        Ok(self)
    }

    /// Refuses fields by which the kind is not selected.
    pub(crate) fn check(&self, resource: &Resource) -> Result<(), StatusError> {
        let known = resource.strategy.selectable();
        for term in self.fields.terms() {
            let field = term.field.as_str();
            if !matches!(field, "metadata.name" | "metadata.namespace") && !known.contains(&field) {
                return Err(StatusError::bad_request(if known.is_empty() {
                    format!("{field:?} is not a known field selector: only \"metadata.name\", \"metadata.namespace\"")
                } else {
                    format!("field label not supported: {field}")
                }));
            }
        }
        Ok(())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    /// Whether the object stored at a key is selected.
    pub(crate) fn matches(&self, resource: &Resource, key: &str, stored: &[u8]) -> bool {
        // A damaged object shown in a list would make the list no JSON. The log told of it when the store was opened.
        if !is_whole(stored) {
            return false;
        }
        if self.is_empty() {
            return true;
        }
        let (namespace, name) = resource.names(key);
        let named = |field: &str| match field {
            "metadata.name" => Some(Cow::Borrowed(name)),
            "metadata.namespace" => Some(Cow::Borrowed(namespace)),
            _ => None,
        };
        // What the key decides costs no reading: who follows one object does not pay for its neighbours.
        if !self.fields.matches(named) {
            return false;
        }
        if self.labels.is_empty() && self.fields.terms().iter().all(|term| named(&term.field).is_some()) {
            return true;
        }
        let Ok(mut object) = serde_json::from_slice::<Value>(stored) else { return false };
        resource.strategy.decode_stored(&mut object);
        (self.labels.is_empty() || self.labels.matches(&labels(&object)))
            && self.fields.matches(|field| named(field).or_else(|| Some(resource.strategy.field(&object, field))))
    }
}

/// Whether a stored object begins and ends as all do.
pub(super) fn is_whole(stored: &[u8]) -> bool {
    stored.starts_with(b"{\"kind\":\"") && stored.ends_with(b"}")
}

/// One page.
struct Page {
    entries: Vec<Entry>,
    more: bool,
}

pub(super) fn run(call: &Call<'_>) -> Result<Answer, StatusError> {
    let ListOptions { filter, limit, wanted, .. } = ListOptions::read(call)?;
    let limit = match limit {
        // Upstream answers "any revision" from its cache, which knows no pages.
        Some(_) if call.query.get("resourceVersion") == "0" => usize::MAX,
        Some(limit) if limit > 0 => usize::try_from(limit).unwrap_or(usize::MAX),
        _ => usize::MAX,
    };
    let prefix = prefix(call);
    let (view, start) = view(call)?;
    let after = start.as_ref().map(|s| format!("{prefix}{s}"));
    let page = page(&view, call.resource, &prefix, after, limit, &filter);
    let metadata = metadata(&view, &prefix, &page, &filter);
    let stored: Vec<Bytes> = page.entries.into_iter().map(|e| shown(call.resource, &e.value)).collect();
    answer(call, wanted, &metadata, &stored)
}

/// Shown objects as a list in the form that the client wants.
///
/// # Errors
/// 400 or 406 for a form that cannot be had, 500 when what is stored cannot be read.
pub(super) fn answer(
    call: &Call<'_>,
    wanted: Wanted,
    metadata: &Value,
    stored: &[Bytes],
) -> Result<Answer, StatusError> {
    if wanted.form == Form::Object {
        return Ok(Answer {
            code: 200,
            content: JSON,
            body: join(call.resource, metadata, stored),
            warnings: Vec::new(),
            etag: None,
        });
    }
    let include = table::Include::read(call.query)?;
    Ok(Answer::json(200, table::list(call.resource, stored, metadata, wanted, include, call.now)?))
}

/// Prefix of the keys that a collection request is about.
pub(crate) fn prefix(call: &Call<'_>) -> String {
    let namespace = call.namespace();
    if namespace.is_empty() {
        call.resource.prefix.to_string()
    } else {
        format!("{}{namespace}/", call.resource.prefix)
    }
}

fn page(view: &View, resource: &Resource, prefix: &str, after: Option<String>, limit: usize, filter: &Filter) -> Page {
    let wanted = limit.saturating_add(1);
    if filter.is_empty() {
        let mut entries = view.scan(prefix, after.as_deref(), wanted);
        let more = entries.len() > limit;
        entries.truncate(limit);
        return Page { entries, more };
    }
    let mut entries = Vec::new();
    let mut after = after;
    loop {
        let found = view.scan(prefix, after.as_deref(), PAGE);
        let last = found.last().map(|e| e.key.to_string());
        let full = found.len() == PAGE;
        entries.extend(found.into_iter().filter(|e| filter.matches(resource, &e.key, &e.value)));
        if entries.len() > limit || !full {
            let more = entries.len() > limit;
            entries.truncate(limit);
            return Page { entries, more };
        }
        after = last;
    }
}

fn metadata(view: &View, prefix: &str, page: &Page, filter: &Filter) -> Value {
    let mut metadata = json!({ "resourceVersion": view.revision().0.to_string() });
    let (true, Some(last)) = (page.more, page.entries.last()) else { return metadata };
    let start = last.key[prefix.len()..].to_owned();
    metadata["continue"] = Continue { revision: view.revision().0, start }.write().into();
    if filter.is_empty() {
        metadata["remainingItemCount"] = view.count_after(prefix, &last.key).into();
    }
    metadata
}

/// The view that a list reads, and where it goes on.
fn view(call: &Call<'_>) -> Result<(View, Option<String>), StatusError> {
    let store = &call.door.store;
    let token = call.query.get("continue");
    if !token.is_empty() {
        let token = Continue::read(token)?;
        if !matches!(call.query.get("resourceVersion"), "" | "0") {
            return Err(StatusError::bad_request("specifying resource version is not allowed when using continue"));
        }
        let view = store.view_at(Revision(token.revision)).map_err(|error| continue_expired(&error))?;
        return Ok((view, Some(token.start)));
    }
    let revision = read_revision(call)?;
    let view = match (call.query.get("resourceVersionMatch"), revision) {
        ("Exact", Some(revision)) => store.view_at(Revision(revision)).map_err(expired)?,
        _ => store.view(),
    };
    Ok((view, None))
}

fn continue_expired(error: &ViewError) -> StatusError {
    match error {
        ViewError::Compacted { .. } => StatusError::expired(
            "The provided continue parameter is too old to display a consistent list result. You must start a new list without the continue \
             parameter.",
        ),
        // Upstream passes on what its store says.
        ViewError::Future { .. } => {
            StatusError::unexplained("etcdserver: mvcc: required revision is a future revision")
        }
    }
}

fn expired(error: ViewError) -> StatusError {
    match error {
        ViewError::Compacted { oldest } => {
            StatusError::expired(format!("The resourceVersion for the provided list is too old. (oldest {oldest})"))
        }
        ViewError::Future { current } => too_large(0, current.0),
    }
}

/// Reads `resourceVersion`; `None` when it is not given.
///
/// # Errors
/// What is wrong with it; how that is answered depends on the verb.
pub(super) fn given_revision(call: &Call<'_>) -> Result<Option<u64>, String> {
    let text = call.query.get("resourceVersion");
    if text.is_empty() {
        return Ok(None);
    }
    let parsed = if text.starts_with('+') { None } else { text.parse().ok() };
    parsed.map(Some).ok_or_else(|| {
        let mut errors = FieldErrors::new();
        let why = format!("strconv.ParseUint: parsing {}: invalid syntax", quote(text));
        errors.invalid("resourceVersion", &text.into(), why);
        errors.message()
    })
}

/// The revision that a get or list is to be as new as; `None` for the newest.
///
/// # Errors
/// 400 or 500 when it is none, 504 when it is not there yet.
pub(super) fn read_revision(call: &Call<'_>) -> Result<Option<u64>, StatusError> {
    let given = given_revision(call).map_err(|why| match call.at.form.depth == 1 {
        true => StatusError::bad_request(format!("invalid resource version: {why}")),
        false => StatusError::unexplained(why),
    })?;
    let Some(revision) = given else { return Ok(None) };
    let current = call.door.store.revision().0;
    if revision > current {
        return Err(too_large(revision, current));
    }
    Ok(Some(revision))
}

fn too_large(revision: u64, current: u64) -> StatusError {
    let message = format!("Too large resource version: {revision}, current: {current}");
    let cause = Cause {
        reason: "ResourceVersionTooLarge".into(),
        message: "Too large resource version".into(),
        ..Cause::default()
    };
    StatusError::new(504, "Timeout", format!("Timeout: {message}")).with(Details {
        causes: vec![cause],
        retry_after_seconds: 1,
        ..Details::default()
    })
}

/// `{"kind":"PodList",…,"items":[…]}` in pieces; items go without kind and version, as upstream's do. Large ones go as
/// they are stored, without being copied; small ones together.
fn join(resource: &Resource, metadata: &Value, stored: &[Bytes]) -> Body {
    let mut pieces = VecDeque::new();
    let (kind, version) = (&resource.kind, &resource.api_version);
    let head = format!("{{\"kind\":\"{kind}List\",\"apiVersion\":\"{version}\",\"metadata\":{metadata},\"items\":[");
    let mut piece = BytesMut::from(head.as_bytes());
    for (at, one) in stored.iter().enumerate() {
        let rest = item(resource, one);
        let lead: &'static [u8] = if at == 0 { b"{" } else { b",{" };
        if rest.len() >= LARGE {
            if !piece.is_empty() {
                pieces.push_back(std::mem::take(&mut piece).freeze());
            }
            pieces.extend([Bytes::from_static(lead), rest]);
            continue;
        }
        if piece.len() + rest.len() + 2 > PIECE {
            pieces.push_back(std::mem::replace(&mut piece, BytesMut::with_capacity(PIECE)).freeze());
        }
        piece.extend_from_slice(lead);
        piece.extend_from_slice(&rest);
    }
    piece.extend_from_slice(b"]}");
    if pieces.is_empty() {
        return Body::Full(piece.freeze());
    }
    pieces.push_back(piece.freeze());
    Body::Pieces(pieces)
}
