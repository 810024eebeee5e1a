//! What changed between two objects, as sets of paths.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::atom::{Atom, Place, fields, items};
use super::set::Set;
use crate::schema::Schema;

/// The paths that the right object adds, changes and removes. No path is in two of them.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    pub(super) added: Set,
    pub(super) modified: Set,
    pub(super) removed: Set,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    None,
    Added,
    Modified,
    Removed,
}

/// Compares two objects.
pub(super) fn compare(schema: &Schema, left: &Value, right: &Value) -> Result<Comparison, String> {
    let mut out = Comparison::default();
    walk(Place::root(schema), Some(left), Some(right), &mut out)?;
    Ok(out)
}

impl Comparison {
    pub(super) fn without(&mut self, trees: &Set) {
        for set in [&mut self.added, &mut self.modified, &mut self.removed] {
            set.subtract_trees(trees);
        }
    }

    fn attach(&mut self, element: &str, own: Change, below: Self) {
        self.added.put(element, own == Change::Added, below.added);
        self.modified.put(element, own == Change::Modified, below.modified);
        self.removed.put(element, own == Change::Removed, below.removed);
    }
}

fn leaf(left: Option<&Value>, right: Option<&Value>) -> Change {
    match (left, right) {
        (None, _) => Change::Added,
        (_, None) => Change::Removed,
        (Some(l), Some(r)) if l != r => Change::Modified,
        _ => Change::None,
    }
}

/// Writes the changes below a place and returns its own.
fn walk(place: Place<'_>, left: Option<&Value>, right: Option<&Value>, out: &mut Comparison) -> Result<Change, String> {
    if left.is_some() && left == right {
        return Ok(Change::None);
    }
    let atom = place.atom();
    match atom {
        Atom::Scalar(_) | Atom::Whole(_) => return Ok(leaf(left, right)),
        Atom::Struct(_) | Atom::Map(_) => {
            let (l, r) = (fields(left), fields(right));
            if l.is_none() && r.is_none() {
                return Ok(leaf(left, right));
            }
            walk_fields(place, atom, l, r, out)?;
        }
        Atom::Set(element) | Atom::Keyed(element, _) => {
            let (l, r) = (items(left), items(right));
            if l.is_empty() && r.is_empty() {
                return Ok(leaf(left, right));
            }
            walk_items(place, atom, place.element(element), l, r, out)?;
        }
    }
    Ok(match (left, right) {
        (None, _) => Change::Added,
        (_, None) => Change::Removed,
        _ => Change::None,
    })
}

fn walk_fields(
    place: Place<'_>,
    atom: Atom<'_>,
    left: Option<&Map<String, Value>>,
    right: Option<&Map<String, Value>>,
    out: &mut Comparison,
) -> Result<(), String> {
    let only_left = left.into_iter().flatten().filter(|(k, _)| right.is_none_or(|r| !r.contains_key(*k)));
    let pairs = only_left.map(|(k, v)| (k, Some(v), None));
    let rest = right.into_iter().flatten().map(|(k, v)| (k, left.and_then(|l| l.get(k)), Some(v)));
    for (name, l, r) in pairs.chain(rest) {
        let inner = match atom {
            // Managed fields do not manage themselves.
            Atom::Struct(_) if name == "managedFields" => continue,
            Atom::Struct(one) => match one.field(name) {
                Some(field) => place.field(field),
                None => return Err(format!(".{name}: field not declared in schema")),
            },
            Atom::Map(element) => place.element(element),
            _ => continue,
        };
        let mut below = Comparison::default();
        let own = walk(inner, l, r, &mut below)?;
        if own != Change::None || !below.is_none() {
            out.attach(&format!("f:{name}"), own, below);
        }
    }
    Ok(())
}

impl Comparison {
    fn is_none(&self) -> bool {
        self.added.is_empty() && self.modified.is_empty() && self.removed.is_empty()
    }
}

fn walk_items(
    place: Place<'_>,
    atom: Atom<'_>,
    element: Place<'_>,
    left: &[Value],
    right: &[Value],
    out: &mut Comparison,
) -> Result<(), String> {
    let mut both: BTreeMap<String, (Vec<&Value>, Vec<&Value>)> = BTreeMap::new();
    for item in left {
        both.entry(place.list_element(atom, item)?).or_default().0.push(item);
    }
    for item in right {
        both.entry(place.list_element(atom, item)?).or_default().1.push(item);
    }
    for (name, (l, r)) in both {
        let mut below = Comparison::default();
        // Elements that share a key are owned together, without what is below them.
        let own = match (l.as_slice(), r.as_slice()) {
            ([] | [_], [] | [_]) => walk(element, l.first().copied(), r.first().copied(), &mut below)?,
            ([_, _, ..], [_, _, ..]) => {
                if l == r {
                    Change::None
                } else {
                    Change::Modified
                }
            }
            ([_, _, ..], _) => {
                if let Some(only) = r.first() {
                    walk(element, None, Some(only), &mut below)?;
                    // The element itself is counted as removed below; it is there again as added.
                    out.attach(&name, Change::Added, std::mem::take(&mut below));
                }
                Change::Removed
            }
            _ => {
                if let Some(only) = l.first() {
                    walk(element, Some(only), None, &mut below)?;
                    out.attach(&name, Change::Removed, std::mem::take(&mut below));
                }
                Change::Added
            }
        };
        out.attach(&name, own, below);
    }
    Ok(())
}
