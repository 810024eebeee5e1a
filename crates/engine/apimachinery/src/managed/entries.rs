//! `metadata.managedFields`: who manages what, read and written.

use std::collections::HashMap;
use std::mem;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::set::Set;

/// Managers that did not apply, beyond which the oldest are merged into one.
const MAX_UPDATERS: usize = 10;
const MERGED: &str = "ancient-changes";

/// One manager's fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) manager: String,
    pub(super) applied: bool,
    pub(super) subresource: String,
    pub(super) api_version: String,
    /// RFC 3339, as stored.
    pub(super) time: Option<String>,
    pub(super) set: Set,
}

impl Entry {
    /// Whether two entries are the same manager's. Appliers stay the same across versions.
    pub(super) fn same_manager(&self, other: &Self) -> bool {
        self.manager == other.manager
            && self.applied == other.applied
            && self.subresource == other.subresource
            && (self.applied || self.api_version == other.api_version)
    }

    /// Equal for entries of the same manager, as [`Entry::same_manager`] tells them.
    fn identity(&self) -> (String, bool, String, String) {
        let version = if self.applied { String::new() } else { self.api_version.clone() };
        (self.manager.clone(), self.applied, self.subresource.clone(), version)
    }

    fn seconds(&self) -> i64 {
        self.time.as_deref().and_then(|t| t.parse::<Timestamp>().ok()).map_or(0, Timestamp::as_second)
    }

    /// As messages name it.
    pub(super) fn show(&self) -> String {
        let mut out = format!("{:?}", self.manager);
        if !self.subresource.is_empty() {
            out.push_str(&format!(" with subresource {:?}", self.subresource));
        }
        if !self.applied {
            out.push_str(&format!(" using {}", self.api_version));
        }
        out
    }
}

/// Reads the entries of an object; absent is none.
pub(super) fn decode(fields: Option<&Value>) -> Result<Vec<Entry>, String> {
    let mut out: Vec<Entry> = Vec::new();
    let mut places = HashMap::new();
    for (index, value) in fields.and_then(Value::as_array).into_iter().flatten().enumerate() {
        let entry = decode_entry(index, value)?;
        match places.entry(entry.identity()) {
            std::collections::hash_map::Entry::Occupied(at) => out[*at.get()] = entry,
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert(out.len());
                out.push(entry);
            }
        }
    }
    Ok(out)
}

fn decode_entry(index: usize, value: &Value) -> Result<Entry, String> {
    let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default();
    let applied = match text("operation") {
        "Apply" => true,
        "Update" => false,
        _ => return Err("operation must be `Apply` or `Update`".to_owned()),
    };
    if text("apiVersion").is_empty() {
        return Err("apiVersion must not be empty".to_owned());
    }
    match text("fieldsType") {
        "FieldsV1" => {}
        "" => return Err(format!("missing fieldsType in managed fields entry {index}")),
        other => return Err(format!("invalid fieldsType {other:?} in managed fields entry {index}")),
    }
    let set = value.get("fieldsV1").filter(|v| !v.is_null()).map_or_else(|| Ok(Set::default()), Set::decode)?;
    Ok(Entry {
        manager: text("manager").to_owned(),
        applied,
        subresource: text("subresource").to_owned(),
        api_version: text("apiVersion").to_owned(),
        time: value.get("time").and_then(Value::as_str).map(str::to_owned),
        set,
    })
}

/// Puts the entries into an object's metadata, in upstream's order.
pub(super) fn store(object: &mut Value, mut entries: Vec<Entry>) {
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    entries.retain(|e| !e.set.is_empty());
    if entries.is_empty() {
        metadata.remove("managedFields");
        return;
    }
    entries.sort_by(|a, b| {
        let order = |e: &Entry| (!e.applied, e.seconds());
        order(a).cmp(&order(b)).then_with(|| {
            let names = |e: &Entry| (e.manager.clone(), e.api_version.clone(), e.subresource.clone());
            names(a).cmp(&names(b))
        })
    });
    metadata.insert("managedFields".to_owned(), entries.into_iter().map(encode_entry).collect());
}

fn encode_entry(entry: Entry) -> Value {
    let mut out = Map::new();
    out.insert("apiVersion".to_owned(), Value::String(entry.api_version));
    out.insert("fieldsType".to_owned(), json!("FieldsV1"));
    out.insert("fieldsV1".to_owned(), entry.set.encode());
    if !entry.manager.is_empty() {
        out.insert("manager".to_owned(), Value::String(entry.manager));
    }
    out.insert("operation".to_owned(), json!(if entry.applied { "Apply" } else { "Update" }));
    if !entry.subresource.is_empty() {
        out.insert("subresource".to_owned(), Value::String(entry.subresource));
    }
    if let Some(time) = entry.time {
        out.insert("time".to_owned(), Value::String(time));
    }
    Value::Object(out)
}

/// Merges the oldest updaters of each version into one entry while there are too many.
pub(super) fn cap(entries: &mut Vec<Entry>) {
    let (applied, mut updaters): (Vec<Entry>, Vec<Entry>) = mem::take(entries).into_iter().partition(|e| e.applied);
    *entries = applied;
    updaters.sort_by(|a, b| a.seconds().cmp(&b.seconds()).then_with(|| a.manager.cmp(&b.manager)));
    let mut count = updaters.len();
    let mut kept: Vec<Entry> = Vec::new();
    for entry in updaters {
        let bucket = kept.iter_mut().find(|k| count > MAX_UPDATERS && k.api_version == entry.api_version);
        match bucket {
            Some(bucket) => {
                bucket.manager = MERGED.to_owned();
                bucket.subresource.clear();
                bucket.set.union(&entry.set);
                bucket.time = entry.time;
                count -= 1;
            }
            None => kept.push(entry),
        }
    }
    entries.append(&mut kept);
}
