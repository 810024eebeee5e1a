//! JSON into a value of a type, in one pass, as upstream's decoder would see it.
//!
//! Unknown fields are dropped and reported, duplicates are reported, values are brought into the form in which
//! upstream would write them again: quantities and times are canonical, empty fields are left out or written as their
//! type says. Semantics and texts follow `sigs.k8s.io/json` and Go's `encoding/json`.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::leaf;
use super::path::{Path, Step};
use super::scan::{Scanner, Start, SyntaxError};
use super::types::{Field, Kind, Node, Schema, Schemas, Struct, StructId, is_struct_like, zero};
use super::untyped;

/// A decoded object, and what a strict reader has against it.
#[derive(Debug)]
pub struct Decoded {
    /// The object.
    pub value: Value,
    /// `unknown field "spec.foo"`, `duplicate field "…"`, in the order of the input; at most 100.
    pub strict: Vec<String>,
}

impl Decoded {
    /// The error of a strict reader.
    #[must_use]
    pub fn strict_error(&self) -> Option<String> {
        if self.strict.is_empty() { None } else { Some(format!("strict decoding error: {}", self.strict.join(", "))) }
    }
}

/// The input is not a value of the type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Not JSON, or `apiVersion` or `kind` is not text. Upstream looks for those two first and says so.
    #[error("couldn't get version/kind; json parse error: {0}")]
    Interpret(String),
    /// JSON, but not of this type.
    #[error("{0}")]
    Type(String),
}

impl Schema {
    /// Decodes an object.
    ///
    /// # Errors
    /// Not JSON, or a value of the wrong type.
    pub fn decode(&self, body: &[u8]) -> Result<Decoded, DecodeError> {
        let text = String::from_utf8_lossy(body);
        decode_struct(&self.types, self.root, Scanner::new(&text, body))
    }
}

fn decode_struct(schemas: &Schemas, root: StructId, scan: Scanner<'_>) -> Result<Decoded, DecodeError> {
    let mut decoder = Decoder { schemas, scan, strict: Vec::new(), saved: None, fatal: None, interpret: None };
    let value = decoder.whole(root).map_err(|e| DecodeError::Interpret(e.0))?;
    if let Some(error) = decoder.interpret {
        return Err(DecodeError::Interpret(error));
    }
    match decoder.fatal.or(decoder.saved) {
        Some(error) => Err(DecodeError::Type(error)),
        None => Ok(Decoded { value, strict: decoder.strict }),
    }
}

/// An empty list here means "forget them", so an object's own are kept even when empty.
const MANAGED_FIELDS: &str = "managedFields";

struct Decoder<'a> {
    schemas: &'a Schemas,
    scan: Scanner<'a>,
    strict: Vec<String>,
    /// The first value of a wrong type; decoding goes on.
    saved: Option<String>,
    /// The first refusal of a type with an encoding of its own; it goes before `saved`.
    fatal: Option<String>,
    interpret: Option<String>,
}

impl<'a> Decoder<'a> {
    fn whole(&mut self, root: StructId) -> Result<Value, SyntaxError> {
        let path = Path { up: None, step: Step::Root };
        let value = match self.scan.start()? {
            Start::Object => self.object(root, &path)?,
            Start::Null => {
                self.scan.null()?;
                self.schemas.get(root).zero.clone()
            }
            other => {
                self.scan.skip()?;
                const HEAD: &str = "struct { APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; \
                                    Kind string \"json:\\\"kind,omitempty\\\"\" }";
                self.interpret = Some(path.mismatch(describe(other), HEAD));
                Value::Null
            }
        };
        self.scan.end()?;
        Ok(value)
    }

    fn complain(&mut self, what: &str, path: &Path<'_>, name: &str) {
        let mut full = String::new();
        path.strict(&mut full);
        if !full.is_empty() {
            full.push('.');
        }
        full.push_str(name);
        let error = format!("{what} field {full:?}");
        if self.strict.len() < 100 && !self.strict.contains(&error) {
            self.strict.push(error);
        }
    }

    fn mismatch(&mut self, path: &Path<'_>, value: &str, go: &str) {
        if let (Some(name), None) = (path.interpreted(), &self.interpret) {
            let error = format!("json: cannot unmarshal {value} into Go struct field .{name} of type string");
            self.interpret = Some(error);
        }
        if self.saved.is_none() {
            self.saved = Some(path.mismatch(value, go));
        }
    }

    fn object(&mut self, id: StructId, path: &Path<'_>) -> Result<Value, SyntaxError> {
        let schemas = self.schemas;
        let one = schemas.get(id);
        let mut fields = Map::new();
        let mut seen = 0u128;
        self.scan.open()?;
        let mut first = true;
        while let Some(key) = self.scan.next_key(first)? {
            first = false;
            let Some(index) = one.index(&key) else {
                self.complain("unknown", path, &key);
                self.scan.skip()?;
                continue;
            };
            let field = &one.fields[index];
            let again = seen & (1 << index) != 0;
            if again {
                self.complain("duplicate", path, &key);
            }
            seen |= 1 << index;
            let inner = Path { up: Some(path), step: Step::Field(one, &field.name) };
            let (given, value) = self.value(&field.node, &inner)?;
            if given && &*field.name == MANAGED_FIELDS && path.is_metadata() && value == Value::Array(Vec::new()) {
                fields.insert(MANAGED_FIELDS.to_owned(), value);
                continue;
            }
            store(&mut fields, field, given, value, again);
        }
        complete(schemas, one, &mut fields);
        Ok(Value::Object(fields))
    }

    /// A value, and whether there was one (a null, or a value of the wrong type, is none).
    fn value(&mut self, node: &Node, path: &Path<'_>) -> Result<(bool, Value), SyntaxError> {
        let start = self.scan.start()?;
        if start == Start::Null {
            self.scan.null()?;
            return Ok((false, Value::Null));
        }
        let value = match (&node.kind, start) {
            (Kind::Struct(id), Start::Object) => self.object(*id, path)?,
            (Kind::List(element), Start::Array) => self.list(element, path)?,
            (Kind::Map(element), Start::Object) => self.map(element, path)?,
            (Kind::Bool, Start::Bool) => Value::Bool(self.scan.bool()?),
            (Kind::String, Start::String) => Value::String(self.scan.string()?.into_owned()),
            (Kind::Raw, _) => self.any(start)?,
            (Kind::Int32 | Kind::Int64 | Kind::Float64, Start::Number) => return self.number(node, path),
            (Kind::Bytes, Start::String) => return self.bytes(),
            (Kind::Time | Kind::MicroTime | Kind::Quantity | Kind::IntOrString, _) => {
                return self.special(node, start, path);
            }
            _ => {
                self.scan.skip()?;
                self.mismatch(path, describe(start), &node.go);
                return Ok((false, Value::Null));
            }
        };
        Ok((true, value))
    }

    fn list(&mut self, element: &Node, path: &Path<'_>) -> Result<Value, SyntaxError> {
        let mut out = Vec::new();
        self.scan.open()?;
        while self.scan.next_element(out.is_empty())? {
            let inner = Path { up: Some(path), step: Step::Index(out.len()) };
            let (given, value) = self.value(element, &inner)?;
            out.push(if given { value } else { zero(self.schemas, element) });
        }
        Ok(Value::Array(out))
    }

    fn map(&mut self, element: &Node, path: &Path<'_>) -> Result<Value, SyntaxError> {
        let mut out = Map::new();
        self.scan.open()?;
        let mut first = true;
        while let Some(key) = self.scan.next_key(first)? {
            first = false;
            let inner = Path { up: Some(path), step: Step::Key(&key) };
            let (given, value) = self.value(element, &inner)?;
            let value = match (given, &element.kind) {
                (true, _) => value,
                // Upstream's storage keeps no difference between no bytes and none.
                (false, Kind::Bytes) => Value::String(String::new()),
                (false, _) => zero(self.schemas, element),
            };
            let key = key.into_owned();
            if out.contains_key(&key) {
                self.complain("duplicate", path, &key);
            }
            out.insert(key, value);
        }
        Ok(Value::Object(out))
    }

    fn number(&mut self, node: &Node, path: &Path<'_>) -> Result<(bool, Value), SyntaxError> {
        let literal = self.scan.number()?;
        let value = match node.kind {
            Kind::Int32 => literal.parse::<i32>().ok().map(Value::from),
            Kind::Int64 => literal.parse::<i64>().ok().map(Value::from),
            _ => literal.parse::<f64>().ok().filter(|n| n.is_finite()).map(Value::from),
        };
        if value.is_none() {
            self.mismatch(path, &format!("number {literal}"), &node.go);
        }
        Ok((value.is_some(), value.unwrap_or_default()))
    }

    fn bytes(&mut self) -> Result<(bool, Value), SyntaxError> {
        let text = self.scan.string()?;
        match leaf::base64(&text) {
            Ok(clean) => Ok((true, Value::String(clean.into_owned()))),
            Err(error) => {
                self.saved.get_or_insert(error);
                Ok((false, Value::Null))
            }
        }
    }

    /// Types with a decoder of their own; what they refuse ends upstream's decoding at once.
    fn special(&mut self, node: &Node, start: Start, path: &Path<'_>) -> Result<(bool, Value), SyntaxError> {
        let text: Cow<'a, str> = match start {
            Start::String => self.scan.string()?,
            _ => Cow::Borrowed(self.scan.skip()?),
        };
        let result = match (&node.kind, start) {
            (Kind::Quantity, _) => leaf::quantity(&text),
            (Kind::IntOrString, Start::String) => Ok(Value::String(text.into_owned())),
            (Kind::IntOrString, Start::Number) => {
                let int = text.parse::<i32>().map(Value::from);
                int.map_err(|_| path.mismatch(&format!("number {text}"), "int32"))
            }
            (Kind::IntOrString, _) => Err(path.mismatch(describe(start), "int32")),
            (Kind::Time, Start::String) => leaf::time(&text),
            (Kind::MicroTime, Start::String) => leaf::micro_time(&text),
            _ => Err(path.mismatch(describe(start), "string")),
        };
        match result {
            Ok(value) => Ok((!value.is_null(), value)),
            Err(error) => {
                self.fatal.get_or_insert(error);
                Ok((false, Value::Null))
            }
        }
    }

    /// Any JSON, kept as it is.
    fn any(&mut self, start: Start) -> Result<Value, SyntaxError> {
        Ok(match start {
            Start::Null => {
                self.scan.null()?;
                Value::Null
            }
            Start::Bool => Value::Bool(self.scan.bool()?),
            Start::String => Value::String(self.scan.string()?.into_owned()),
            Start::Number => untyped::number(self.scan.number()?),
            Start::Array => {
                let mut out = Vec::new();
                self.scan.open()?;
                while self.scan.next_element(out.is_empty())? {
                    let start = self.scan.start()?;
                    out.push(self.any(start)?);
                }
                Value::Array(out)
            }
            Start::Object => {
                let mut out = Map::new();
                self.scan.open()?;
                let mut first = true;
                while let Some(key) = self.scan.next_key(first)? {
                    first = false;
                    let start = self.scan.start()?;
                    out.insert(key.into_owned(), self.any(start)?);
                }
                Value::Object(out)
            }
        })
    }
}

fn describe(start: Start) -> &'static str {
    match start {
        Start::Object => "object",
        Start::Array => "array",
        Start::String => "string",
        Start::Number => "number",
        Start::Bool => "bool",
        Start::Null => "null",
    }
}

/// Puts a field's value where it belongs. A field that comes twice is decoded over the first, as Go does it.
fn store(fields: &mut Map<String, Value>, field: &Field, given: bool, value: Value, again: bool) {
    if again {
        let cleared = field.pointer || matches!(field.node.kind, Kind::List(_) | Kind::Map(_) | Kind::Bytes);
        match (given, fields.get_mut(&*field.name)) {
            (false, _) if !cleared => return,
            (true, Some(before)) if matches!(field.node.kind, Kind::Struct(_) | Kind::Map(_)) => {
                lay_over(before, value);
                return;
            }
            _ => {
                fields.remove(&*field.name);
            }
        }
    }
    // An empty list that the type always writes was given: its giver owns it, though storage keeps none.
    let owned = !field.omit_empty && matches!(field.node.kind, Kind::List(_)) && value.is_array();
    if given && (owned || !omitted(field, &value)) {
        fields.insert(String::from(&*field.name), value);
    }
}

fn lay_over(before: &mut Value, after: Value) {
    match (before, after) {
        (Value::Object(old), Value::Object(new)) => {
            for (key, value) in new {
                match old.get_mut(&key) {
                    // Written only because the type says so.
                    Some(_) if value.is_null() => {}
                    Some(inner) => lay_over(inner, value),
                    None => {
                        old.insert(key, value);
                    }
                }
            }
        }
        (before, after) => *before = after,
    }
}

/// Whether a field with this value is left out. Lists and maps that are always written are left out here too when they
/// are empty, for [`complete`] to write null: upstream's storage keeps no empty ones.
pub(super) fn omitted(field: &Field, value: &Value) -> bool {
    if field.pointer || is_struct_like(&field.node.kind) {
        return false;
    }
    let container = matches!(value, Value::Array(_) | Value::Object(_));
    (field.omit_empty || container) && is_empty(value)
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(b) => !b,
        Value::Number(n) => n.as_f64() == Some(0.0),
        Value::String(s) => s.is_empty(),
        Value::Array(a) => a.is_empty(),
        Value::Object(o) => o.is_empty(),
    }
}

/// Adds the fields that are written even when nothing was given.
pub(super) fn complete(schemas: &Schemas, one: &Struct, fields: &mut Map<String, Value>) {
    for &index in &one.always {
        let field = &one.fields[usize::from(index)];
        if !fields.contains_key(&*field.name) {
            let value = if field.pointer { Value::Null } else { zero(schemas, &field.node) };
            fields.insert(String::from(&*field.name), value);
        }
    }
}
