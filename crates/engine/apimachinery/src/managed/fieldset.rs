//! The fields that an applied configuration names.

use std::collections::BTreeMap;

use serde_json::Value;

use super::atom::{Atom, Place, fields, items};
use super::set::Set;
use crate::schema::Schema;

/// Every leaf and element of an object.
pub(super) fn field_set(schema: &Schema, value: &Value) -> Result<Set, String> {
    let mut out = Set::default();
    walk(Place::root(schema), value, &mut out)?;
    Ok(out)
}

/// Writes what is below a place and says whether the place itself belongs to the set.
fn walk(place: Place<'_>, value: &Value, out: &mut Set) -> Result<bool, String> {
    let atom = place.atom();
    match atom {
        Atom::Scalar(_) | Atom::Whole(_) => return Ok(true),
        Atom::Struct(_) | Atom::Map(_) => {
            for (name, inner) in fields(Some(value)).into_iter().flatten() {
                let (next, declared) = match atom {
                    Atom::Struct(one) => match one.field(name) {
                        Some(field) => (place.field(field), true),
                        None => return Err(format!(".{name}: field not declared in schema")),
                    },
                    Atom::Map(element) => (place.element(element), false),
                    _ => continue,
                };
                let mut below = Set::default();
                let own = walk(next, inner, &mut below)?;
                let empty = inner.is_null() || inner.as_object().is_some_and(serde_json::Map::is_empty);
                out.put(&format!("f:{name}"), own || empty || !declared, below);
            }
        }
        Atom::Set(element) | Atom::Keyed(element, _) => {
            let mut by_name: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
            for item in items(Some(value)) {
                by_name.entry(place.list_element(atom, item)?).or_default().push(item);
            }
            for (name, same) in by_name {
                let mut below = Set::default();
                if let [only] = same.as_slice() {
                    walk(place.element(element), only, &mut below)?;
                }
                out.put(&name, true, below);
            }
        }
    }
    Ok(false)
}
