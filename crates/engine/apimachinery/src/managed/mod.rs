//! Managed fields: who set which field, and server-side apply, which lives by it.
//!
//! Semantics follow `structured-merge-diff` v4 and `k8s.io/apimachinery/pkg/util/managedfields`. Objects of one kind
//! are compared in the form of the request's version; entries of versions that this form cannot be converted to are
//! dropped, as upstream drops those of the other group of events.

mod applied;
mod atom;
mod compare;
mod conflict;
mod entries;
mod fieldset;
mod merge;
mod remove;
mod set;
mod validate;

#[cfg(test)]
mod tests;

use jiff::Timestamp;
use serde_json::Value;

pub use applied::{Applied, ApplyError, apply};
pub use conflict::Conflicts;

use crate::schema::Schema;
use compare::{Comparison, compare};
use entries::Entry;
use set::Set;

/// Who writes, as the request says.
#[derive(Debug, Clone, Copy)]
pub struct Manager<'a> {
    /// `fieldManager`, or what [`name_of`] makes of the user agent.
    pub name: &'a str,
    /// Subresource of the request; empty for the object itself.
    pub subresource: &'a str,
    /// API version of the request, such as `apps/v1`.
    pub api_version: &'a str,
    /// Now.
    pub time: Timestamp,
    /// Fields that this endpoint resets, hence nobody manages through it: `["status"]`, `["metadata", "ownerReferences"]`.
    pub reset: &'a [&'a [&'a str]],
}

/// The manager of a request: its `fieldManager`, or its user agent up to the first slash.
#[must_use]
pub fn name_of<'a>(field_manager: &'a str, user_agent: &'a str) -> &'a str {
    if field_manager.is_empty() { user_agent.split('/').next().unwrap_or_default() } else { field_manager }
}

impl Manager<'_> {
    fn entry(&self, applied: bool, set: Set) -> Entry {
        Entry {
            manager: if self.name.is_empty() { "unknown".to_owned() } else { self.name.to_owned() },
            applied,
            subresource: self.subresource.to_owned(),
            api_version: self.api_version.to_owned(),
            time: Some(self.time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
            set,
        }
    }

    fn reset_set(&self) -> Set {
        let mut out = Set::default();
        for path in self.reset {
            let mut below = Set::default();
            for (depth, name) in path.iter().enumerate().rev() {
                let mut here = Set::default();
                here.put(&format!("f:{name}"), depth + 1 == path.len(), below);
                below = here;
            }
            out.union(&below);
        }
        out
    }
}

/// Records the writer of a create, update or patch. `live` is `None` for a create. `new` comes with the managed fields
/// that the client sent (those of the live object are used where it sent none; an empty list gives them up) and leaves
/// with the right ones.
pub fn update(schema: &Schema, live: Option<&Value>, new: &mut Value, manager: &Manager<'_>) {
    let entries = given_entries(live, new, !manager.subresource.is_empty());
    // An object without managed fields that was there before stays without.
    if entries.is_empty() && live.is_some() {
        entries::store(new, Vec::new());
        return;
    }
    let before = live.unwrap_or(&schema.root().zero);
    match track(schema, before, new, entries, manager) {
        Ok(entries) => entries::store(new, entries),
        // Upstream gives up on objects that it cannot compare, such as lists with elements without their key.
        Err(_) => entries::store(new, Vec::new()),
    }
}

/// Whether `new` differs from `live` in nothing but the times of its managed fields; then those of `live` are restored,
/// so that a write that changes nothing stays one.
pub fn restore_times(live: &Value, new: &mut Value) -> bool {
    let (Some(old), Some(fresh)) = (live.as_object(), new.as_object()) else { return false };
    let same_rest = old.len() == fresh.len() && old.iter().all(|(k, v)| k == "metadata" || fresh.get(k) == Some(v));
    let (Some(Value::Object(a)), Some(Value::Object(b))) = (old.get("metadata"), fresh.get("metadata")) else {
        return false;
    };
    let same_metadata = a.len() == b.len() && a.iter().all(|(k, v)| k == "managedFields" || b.get(k) == Some(v));
    let (Ok(mut before), Ok(mut after)) =
        (entries::decode(a.get("managedFields")), entries::decode(b.get("managedFields")))
    else {
        return false;
    };
    before.iter_mut().chain(&mut after).for_each(|e| e.time = None);
    let key = |e: &Entry| (e.applied, e.manager.clone(), e.api_version.clone(), e.subresource.clone());
    before.sort_by_key(key);
    after.sort_by_key(key);
    let same = same_rest && same_metadata && before == after;
    if same && let Some(fields) = a.get("managedFields") {
        new["metadata"]["managedFields"] = fields.clone();
    }
    same
}

/// The entries to start from; takes those of `new` out of it.
fn given_entries(live: Option<&Value>, new: &mut Value, from_live: bool) -> Vec<Entry> {
    let given = new.get_mut("metadata").and_then(Value::as_object_mut).and_then(|m| m.remove("managedFields"));
    let live = || {
        let fields = live.and_then(|l| l.pointer("/metadata/managedFields"));
        entries::decode(fields).unwrap_or_default()
    };
    if from_live {
        return live();
    }
    match given.as_ref().and_then(Value::as_array).map(Vec::as_slice) {
        Some([]) => Vec::new(),
        Some([Value::Object(only)]) if only.is_empty() => Vec::new(),
        _ => entries::decode(given.as_ref()).ok().filter(|e| !e.is_empty()).unwrap_or_else(live),
    }
}

/// The entries after a change from `before` to `new` that was not an apply.
fn track(
    schema: &Schema,
    before: &Value,
    new: &Value,
    mut entries: Vec<Entry>,
    manager: &Manager<'_>,
) -> Result<Vec<Entry>, String> {
    let comparison = compare(schema, before, new)?;
    let reset = manager.reset_set();
    let mut own;
    if entries.is_empty() {
        // A create: nobody to take anything from.
        own = comparison.added;
        own.union(&comparison.modified);
    } else {
        entries.retain(|e| e.api_version == manager.api_version);
        own = comparison.modified.clone();
        own.union(&comparison.added);
        let comparison = filtered(comparison, &reset);
        let mut changed = comparison.modified;
        changed.union(&comparison.added);
        for entry in &mut entries {
            let taken = entry.set.intersection(&changed);
            entry.set.subtract(&taken);
            entry.set.subtract(&comparison.removed);
        }
        entries.retain(|e| !e.set.is_empty());
    }
    own.subtract_trees(&reset);
    own.subtract(never_managed());
    if !own.is_empty() {
        let mut entry = manager.entry(false, own);
        if let Some(at) = entries.iter().position(|e| e.same_manager(&entry)) {
            entry.set.union(&entries.swap_remove(at).set);
        }
        entries.push(entry);
    }
    entries::cap(&mut entries);
    Ok(entries)
}

fn filtered(mut comparison: Comparison, reset: &Set) -> Comparison {
    if !reset.is_empty() {
        comparison.without(reset);
    }
    comparison
}

/// What no manager ever holds.
fn never_managed() -> &'static Set {
    static STRIPPED: std::sync::OnceLock<Set> = std::sync::OnceLock::new();
    STRIPPED.get_or_init(|| {
        let mut metadata = Set::default();
        let names = [
            "name",
            "namespace",
            "creationTimestamp",
            "selfLink",
            "uid",
            "clusterName",
            "generation",
            "managedFields",
            "resourceVersion",
        ];
        for name in names {
            metadata.put(&format!("f:{name}"), true, Set::default());
        }
        let mut out = Set::default();
        out.put("f:apiVersion", true, Set::default());
        out.put("f:kind", true, Set::default());
        out.put("f:metadata", true, metadata);
        out
    })
}
