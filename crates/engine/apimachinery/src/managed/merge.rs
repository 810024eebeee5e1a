//! Lays an applied configuration over the live object.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use super::atom::{Atom, Place, fields, items};
use crate::schema::Schema;

/// The merged object. Nothing is removed here; what both have is the configuration's.
pub(super) fn merge(schema: &Schema, live: &Value, config: &Value) -> Result<Value, String> {
    Ok(walk(Place::root(schema), Some(live), Some(config))?.unwrap_or_default())
}

fn walk(place: Place<'_>, live: Option<&Value>, config: Option<&Value>) -> Result<Option<Value>, String> {
    let whole = || config.or(live).cloned();
    let atom = place.atom();
    match atom {
        Atom::Scalar(_) | Atom::Whole(_) => Ok(whole()),
        Atom::Struct(_) | Atom::Map(_) => match (fields(live), fields(config)) {
            (None, None) => Ok(whole()),
            (live, config) => {
                let out = merge_fields(place, atom, live, config)?;
                Ok(if out.is_empty() { None } else { Some(Value::Object(out)) })
            }
        },
        Atom::Set(element) | Atom::Keyed(element, _) => match (items(live), items(config)) {
            ([], []) => Ok(whole()),
            (live, config) => {
                let out = merge_items(place, atom, place.element(element), live, config)?;
                Ok(if out.is_empty() { None } else { Some(Value::Array(out)) })
            }
        },
    }
}

fn merge_fields(
    place: Place<'_>,
    atom: Atom<'_>,
    live: Option<&Map<String, Value>>,
    config: Option<&Map<String, Value>>,
) -> Result<Map<String, Value>, String> {
    let names: HashSet<&String> = live.into_iter().chain(config).flat_map(Map::keys).collect();
    let mut out = Map::new();
    for name in names {
        let inner = match atom {
            Atom::Struct(one) => match one.field(name) {
                Some(field) => place.field(field),
                None => return Err(format!(".{name}: field not declared in schema")),
            },
            Atom::Map(element) => place.element(element),
            _ => continue,
        };
        let merged = walk(inner, live.and_then(|l| l.get(name)), config.and_then(|c| c.get(name)))?;
        out.extend(merged.map(|v| (name.clone(), v)));
    }
    Ok(out)
}

/// Elements by name; those that come more than once (only live lists have such) merge with nothing.
fn by_name<'v>(names: &[String], items: &'v [Value]) -> HashMap<String, Option<&'v Value>> {
    let mut out = HashMap::new();
    for (name, item) in names.iter().zip(items) {
        out.entry(name.clone()).and_modify(|v| *v = None).or_insert(Some(item));
    }
    out
}

/// Upstream's order: like the live list where the configuration changes nothing, else like the configuration.
fn merge_items(
    place: Place<'_>,
    atom: Atom<'_>,
    element: Place<'_>,
    live: &[Value],
    config: &[Value],
) -> Result<Vec<Value>, String> {
    let name = |item: &Value| place.list_element(atom, item);
    let left: Vec<String> = live.iter().map(name).collect::<Result<_, _>>()?;
    let right: Vec<String> = config.iter().map(name).collect::<Result<_, _>>()?;
    let (of_left, of_right) = (by_name(&left, live), by_name(&right, config));
    let mut shared = right.iter().filter(|n| of_left.contains_key(*n)).peekable();
    let mut merged: HashSet<&str> = HashSet::new();
    let mut out = Vec::with_capacity(live.len().max(config.len()));
    let (mut l, mut r) = (0, 0);
    while l < left.len() || r < right.len() {
        if let (Some(a), Some(b)) = (left.get(l), right.get(r)) {
            if a == b {
                merged.insert(a);
                out.extend(walk(element, of_left[a], of_right[a])?);
                (l, r) = (l + 1, r + 1);
                shared.next();
                continue;
            }
            if of_right.contains_key(a) && shared.peek().is_some_and(|next| *next != a) {
                l += 1;
                continue;
            }
        }
        if let Some(a) = left.get(l) {
            if !of_right.contains_key(a) {
                out.extend(walk(element, Some(&live[l]), None)?);
                l += 1;
                continue;
            }
            if merged.contains(a.as_str()) {
                l += 1;
            }
        }
        if let Some(b) = right.get(r) {
            merged.insert(b);
            out.extend(walk(element, of_left.get(b).copied().flatten(), of_right[b])?);
            r += 1;
            if shared.peek() == Some(&b) {
                shared.next();
            }
        }
    }
    Ok(out)
}
