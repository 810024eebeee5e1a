//! Takes fields and elements out of an object.

use serde_json::{Map, Value};

use super::atom::{Atom, Place};
use super::set::Set;
use crate::schema::Schema;

/// The object without the members of `set`.
pub(super) fn remove(schema: &Schema, value: &Value, set: &Set) -> Value {
    if set.is_empty() { value.clone() } else { walk(Place::root(schema), value, set) }
}

/// What is left; null when that is nothing.
fn walk(place: Place<'_>, value: &Value, set: &Set) -> Value {
    let atom = place.atom();
    match (atom, value) {
        (Atom::Struct(_) | Atom::Map(_), Value::Object(fields)) => {
            let mut out = Map::new();
            for (name, inner) in fields {
                let element = format!("f:{name}");
                if set.has(&element) {
                    continue;
                }
                let next = match atom {
                    Atom::Struct(one) => one.field(name).map(|f| place.field(f)),
                    Atom::Map(node) => Some(place.element(node)),
                    _ => None,
                };
                out.insert(name.clone(), inside(next, inner, set, &element));
            }
            if out.is_empty() { Value::Null } else { Value::Object(out) }
        }
        (Atom::Set(node) | Atom::Keyed(node, _), Value::Array(items)) => {
            let mut out = Vec::new();
            for item in items {
                let element = place.list_element(atom, item).unwrap_or_default();
                if !set.has(&element) {
                    out.push(inside(Some(place.element(node)), item, set, &element));
                }
            }
            if out.is_empty() { Value::Null } else { Value::Array(out) }
        }
        (Atom::Scalar(_), value) => value.clone(),
        _ => Value::Null,
    }
}

fn inside(place: Option<Place<'_>>, value: &Value, set: &Set, element: &str) -> Value {
    match (place, set.below(element)) {
        (Some(place), Some(below)) => walk(place, value, &below),
        _ => value.clone(),
    }
}
