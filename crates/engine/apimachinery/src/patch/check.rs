//! Checks an untyped object against its schema in the words of upstream's converter, which a strategic merge patch
//! goes through (the other patches go through the decoder).

use serde_json::Value;

use super::go;
use crate::schema::{Kind, Node, Schema, Schemas, StructId};

/// The unknown fields, in strict form; an error for values of the wrong type.
pub(super) fn check(schema: &Schema, value: &Value) -> Result<Vec<String>, String> {
    let mut checker = Checker { schemas: &schema.types, unknown: Vec::new(), path: String::new() };
    checker.object(schema.root, value)?;
    Ok(checker.unknown)
}

struct Checker<'a> {
    schemas: &'a Schemas,
    unknown: Vec<String>,
    path: String,
}

impl Checker<'_> {
    fn object(&mut self, id: StructId, value: &Value) -> Result<(), String> {
        let Value::Object(fields) = value else {
            return Err(format!("cannot restore struct from: {}", go::kind_name(value)));
        };
        let one = self.schemas.get(id);
        let here = self.path.len();
        for field in &one.fields {
            if let Some(inner) = fields.get(&*field.name) {
                self.push(&field.name);
                self.node(&field.node, inner)?;
                self.path.truncate(here);
            }
        }
        for name in fields.keys().filter(|name| one.field(name).is_none()) {
            self.push(name);
            self.unknown.push(format!("unknown field {:?}", self.path));
            self.path.truncate(here);
        }
        Ok(())
    }

    fn push(&mut self, name: &str) {
        if !self.path.is_empty() {
            self.path.push('.');
        }
        self.path.push_str(name);
    }

    fn node(&mut self, node: &Node, value: &Value) -> Result<(), String> {
        match (&node.kind, value) {
            (_, Value::Null) => Ok(()),
            (Kind::Struct(id), value) => self.object(*id, value),
            (Kind::List(element), Value::Array(items)) => {
                let here = self.path.len();
                for (index, item) in items.iter().enumerate() {
                    self.path.push_str(&format!("[{index}]"));
                    self.node(element, item)?;
                    self.path.truncate(here);
                }
                Ok(())
            }
            (Kind::Map(element), Value::Object(entries)) => entries.values().try_for_each(|v| self.node(element, v)),
            (Kind::Bytes, Value::String(_)) => Ok(()),
            (Kind::List(_) | Kind::Bytes, other) => Err(format!("cannot restore slice from {}", go::kind_name(other))),
            (Kind::Map(_), other) => Err(format!("cannot restore map from {}", go::kind_name(other))),
            (Kind::String | Kind::Bool | Kind::Int32 | Kind::Int64 | Kind::Float64, value) => scalar(node, value),
            // These have decoders of their own, which speak for themselves afterwards.
            _ => Ok(()),
        }
    }
}

fn scalar(node: &Node, value: &Value) -> Result<(), String> {
    let whole = value.as_f64().is_some_and(|n| n.fract() == 0.0);
    let name = match (&node.kind, value) {
        (Kind::String, Value::String(_)) | (Kind::Bool, Value::Bool(_)) | (Kind::Float64, Value::Number(_)) => {
            return Ok(());
        }
        (Kind::Int32 | Kind::Int64, Value::Number(_)) if whole => return Ok(()),
        // Go would convert these types to one another, so upstream refuses them by name.
        (Kind::String, Value::Number(n)) if !n.is_f64() => return Err(convert(value, node)),
        (Kind::Int32 | Kind::Int64, Value::Number(_)) => return Err(convert(value, node)),
        (Kind::String, _) => "string",
        (Kind::Bool, _) => "bool",
        (Kind::Int32, _) => "int32",
        (Kind::Float64, _) => "float64",
        _ => "int64",
    };
    Err(format!("unrecognized type: {name}"))
}

fn convert(value: &Value, node: &Node) -> String {
    format!("cannot convert {} to {}", go::type_name(value), node.go)
}
