//! The defaults of the table. Defaults that depend on other fields belong to the kinds' strategies.

use serde_json::{Map, Value};

use super::decode::{complete, omitted};
use super::types::{Kind, Node, Schema, Schemas, Struct, StructId};

impl Schema {
    /// Fills in the table's defaults where nothing was given.
    pub fn default(&self, value: &mut Value) {
        default_struct(&self.types, self.root, value);
    }

    /// Brings a value that was changed in memory back into the form that [`Schema::decode`] gives: empty fields left
    /// out or written as their type says. Types are trusted.
    pub fn normalize(&self, value: &mut Value) {
        normalize_struct(&self.types, self.root, value);
    }
}

fn default_struct(schemas: &Schemas, id: StructId, value: &mut Value) {
    let one = schemas.get(id);
    if !one.defaulted {
        return;
    }
    let Some(fields) = value.as_object_mut() else { return };
    for field in &one.fields {
        if let Some(default) = &field.default
            && !omitted(field, default)
            && fields.get(&*field.name).is_none_or(Value::is_null)
        {
            fields.insert(String::from(&*field.name), default.clone());
        }
        if leads_to_default(schemas, &field.node)
            && let Some(inner) = fields.get_mut(&*field.name)
        {
            default_node(schemas, &field.node, inner);
        }
    }
}

fn leads_to_default(schemas: &Schemas, node: &Node) -> bool {
    match &node.kind {
        Kind::Struct(id) => schemas.get(*id).defaulted,
        Kind::List(element) | Kind::Map(element) => leads_to_default(schemas, element),
        _ => false,
    }
}

fn default_node(schemas: &Schemas, node: &Node, value: &mut Value) {
    match (&node.kind, value) {
        (Kind::Struct(id), value) => default_struct(schemas, *id, value),
        (Kind::List(element), Value::Array(items)) => items.iter_mut().for_each(|v| default_node(schemas, element, v)),
        (Kind::Map(element), Value::Object(entries)) => {
            entries.values_mut().for_each(|v| default_node(schemas, element, v));
        }
        _ => {}
    }
}

fn normalize_struct(schemas: &Schemas, id: StructId, value: &mut Value) {
    let Some(fields) = value.as_object_mut() else { return };
    let one = schemas.get(id);
    normalize_fields(schemas, one, fields);
    complete(schemas, one, fields);
}

fn normalize_fields(schemas: &Schemas, one: &Struct, fields: &mut Map<String, Value>) {
    fields.retain(|name, value| {
        let Some(field) = one.field(name) else { return false };
        if value.is_null() {
            return false;
        }
        normalize_node(schemas, &field.node, value);
        !omitted(field, value)
    });
}

fn normalize_node(schemas: &Schemas, node: &Node, value: &mut Value) {
    match (&node.kind, value) {
        (Kind::Struct(id), value) => normalize_struct(schemas, *id, value),
        (Kind::List(element), Value::Array(items)) if has_structs(element) => {
            items.iter_mut().for_each(|v| normalize_node(schemas, element, v));
        }
        (Kind::Map(element), Value::Object(entries)) if has_structs(element) => {
            entries.values_mut().for_each(|v| normalize_node(schemas, element, v));
        }
        _ => {}
    }
}

fn has_structs(node: &Node) -> bool {
    match &node.kind {
        Kind::Struct(_) => true,
        Kind::List(element) | Kind::Map(element) => has_structs(element),
        _ => false,
    }
}
