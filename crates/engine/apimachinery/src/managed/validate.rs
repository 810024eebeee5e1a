//! Checks an applied configuration against its schema, in the words of `structured-merge-diff`.

use std::collections::HashSet;

use serde_json::Value;

use super::atom::{Atom, Place};
use super::set::show;
use crate::schema::{Kind, Node, Schema};

/// Refuses unknown fields, wrong types and elements that share a key.
pub(super) fn validate(schema: &Schema, value: &Value) -> Result<(), String> {
    let mut errors = Vec::new();
    walk(Place::root(schema), value, "", &mut errors);
    match errors.as_slice() {
        [] => Ok(()),
        [only] => Err(only.clone()),
        several => Err(format!("errors:\n  {}", several.join("\n  "))),
    }
}

fn walk(place: Place<'_>, value: &Value, path: &str, errors: &mut Vec<String>) {
    match place.atom() {
        Atom::Scalar(node) => scalar(node, value, path, errors),
        Atom::Whole(node) => inside(place, node, value, path, errors),
        Atom::Struct(one) => match value {
            Value::Null => {}
            Value::Object(fields) => {
                for (name, inner) in fields {
                    let path = format!("{path}.{name}");
                    match one.field(name) {
                        Some(field) => walk(place.field(field), inner, &path, errors),
                        None => errors.push(format!("{path}: field not declared in schema")),
                    }
                }
            }
            other => errors.push(format!("{path}: expected map, got {}", plain(other))),
        },
        Atom::Map(element) => map(place, element, value, path, errors),
        atom @ (Atom::Set(element) | Atom::Keyed(element, _)) => match value {
            Value::Null => {}
            Value::Array(items) => {
                let mut seen = HashSet::new();
                for (index, item) in items.iter().enumerate() {
                    let name = match place.list_element(atom, item) {
                        Ok(name) => name,
                        Err(error) => {
                            errors.push(format!("{path}: element {index}: {error}"));
                            return;
                        }
                    };
                    let shown = show(&name);
                    if !seen.insert(name) {
                        errors.push(format!("{path}: duplicate entries for key {shown}"));
                    }
                    walk(place.element(element), item, &format!("{path}{shown}"), errors);
                }
            }
            other => errors.push(format!("{path}: expected list, got {}", plain(other))),
        },
    }
}

/// The inside of a value with one owner is checked all the same.
fn inside(place: Place<'_>, node: &Node, value: &Value, path: &str, errors: &mut Vec<String>) {
    match (&node.kind, value) {
        (_, Value::Null) => {}
        (Kind::Struct(id), Value::Object(fields)) => {
            let one = place.schemas.get(*id);
            for (name, inner) in fields {
                let path = format!("{path}.{name}");
                match one.field(name) {
                    Some(field) => walk(place.field(field), inner, &path, errors),
                    None => errors.push(format!("{path}: field not declared in schema")),
                }
            }
        }
        (Kind::Map(element), value) => map(place, element, value, path, errors),
        (Kind::List(element), Value::Array(items)) => {
            for (index, item) in items.iter().enumerate() {
                walk(place.element(element), item, &format!("{path}[{index}]"), errors);
            }
        }
        (Kind::List(_), other) => errors.push(format!("{path}: expected list, got {}", plain(other))),
        (_, other) => errors.push(format!("{path}: expected map, got {}", plain(other))),
    }
}

fn map(place: Place<'_>, element: &Node, value: &Value, path: &str, errors: &mut Vec<String>) {
    match value {
        Value::Null => {}
        Value::Object(entries) => {
            for (name, inner) in entries {
                walk(place.element(element), inner, &format!("{path}.{name}"), errors);
            }
        }
        other => errors.push(format!("{path}: expected map, got {}", plain(other))),
    }
}

fn scalar(node: &Node, value: &Value, path: &str, errors: &mut Vec<String>) {
    let message = match (&node.kind, value) {
        (Kind::Raw, _) | (_, Value::Null) => return,
        (Kind::Bool, Value::Bool(_)) => return,
        (Kind::Bool, other) => format!("expected boolean, got {}", plain(other)),
        (Kind::Int32 | Kind::Int64 | Kind::Float64, Value::Number(_)) => return,
        (Kind::Int32 | Kind::Int64 | Kind::Float64, other) => {
            format!("expected numeric (int or float), got {}", go_type(other))
        }
        (Kind::Quantity | Kind::IntOrString, Value::Array(_) | Value::Object(_)) => {
            format!("expected any scalar, got {}", plain(value))
        }
        (Kind::Quantity | Kind::IntOrString, _) | (_, Value::String(_)) => return,
        (_, other) => format!("expected string, got &value.valueUnstructured{{Value:{}}}", syntax(other)),
    };
    errors.push(format!("{path}: {message}"));
}

/// Go's `%v` of upstream's wrapper.
fn plain(value: &Value) -> String {
    format!("&{{{}}}", crate::patch::go_format(value))
}

fn go_type(value: &Value) -> &'static str {
    crate::patch::go_type_name(value)
}

/// Go's `%#v`.
fn syntax(value: &Value) -> String {
    match value {
        Value::Null => "interface {}(nil)".to_owned(),
        Value::Array(items) => {
            format!("[]interface {{}}{{{}}}", items.iter().map(syntax).collect::<Vec<_>>().join(", "))
        }
        Value::Object(fields) => {
            let pairs: Vec<String> = fields.iter().map(|(k, v)| format!("{k:?}:{}", syntax(v))).collect();
            format!("map[string]interface {{}}{{{}}}", pairs.join(", "))
        }
        scalar => scalar.to_string(),
    }
}
