//! Protobuf bodies: Kubernetes' envelope around a message whose field numbers the table carries.
//!
//! The result is what decoding the same object from JSON gives. Sources: the protobuf encoding guide, the comments of
//! `k8s.io/apimachinery/pkg/runtime` (`Unknown`) and the `generated.proto` files of `k8s.io/api`.

use std::cell::Cell;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::decode::{complete, omitted};
use super::types::{Field, Kind, Node, Schema, Schemas, Struct};
use super::untyped::Untyped;

const MAGIC: &[u8] = b"k8s\0";
/// Messages nested deeper are refused.
const MAX_DEPTH: u32 = 100;
/// Two bytes make an object of any size in memory.
const MAX_PARTS: u32 = 250_000;

/// How deep the decoder is, and how many parts it may still make.
#[derive(Clone, Copy)]
struct Room<'a> {
    depth: u32,
    left: &'a Cell<u32>,
}

impl Room<'_> {
    fn deeper(self) -> Self {
        Self { depth: self.depth + 1, ..self }
    }

    /// Takes room for a part.
    fn take(self) -> Result<(), ProtobufError> {
        if self.depth > MAX_DEPTH {
            return Err(ProtobufError::Value("message is nested too deep".to_owned()));
        }
        let left = self.left.get().checked_sub(1);
        self.left.set(left.ok_or_else(|| ProtobufError::Value(format!("more than {MAX_PARTS} parts")))?);
        Ok(())
    }
}

/// A body is not protobuf of a known kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProtobufError {
    /// No envelope.
    #[error("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]")]
    Magic,
    /// The message breaks off or does not follow the encoding.
    #[error("unexpected EOF")]
    Broken,
    /// The type is unknown.
    #[error("no kind {kind:?} is registered for version {api_version:?}")]
    Kind {
        /// As the envelope says.
        api_version: String,
        /// As the envelope says.
        kind: String,
    },
    /// A part that cannot be read.
    #[error("{0}")]
    Value(String),
}

impl Schemas {
    /// Decodes a whole body. The kind is the envelope's; options (`DeleteOptions` …) are found in every group.
    ///
    /// # Errors
    /// See [`ProtobufError`].
    pub fn decode_protobuf(&self, body: &[u8]) -> Result<Value, ProtobufError> {
        let mut message = Reader { rest: body.strip_prefix(MAGIC).ok_or(ProtobufError::Magic)? };
        let (mut api_version, mut kind, mut raw) = (String::new(), String::new(), &[][..]);
        while let Some((number, wire)) = message.field()? {
            match (number, wire) {
                (1, Wire::Bytes(inner)) => {
                    let mut inner = Reader { rest: inner };
                    while let Some((number, wire)) = inner.field()? {
                        match number {
                            1 => api_version = wire.text()?,
                            2 => kind = wire.text()?,
                            _ => {}
                        }
                    }
                }
                (2, Wire::Bytes(inner)) => raw = inner,
                (3, Wire::Bytes(encoding)) if !encoding.is_empty() => {
                    return Err(ProtobufError::Value("content encodings are not supported".to_owned()));
                }
                _ => {}
            }
        }
        let options = format!("io.k8s.apimachinery.pkg.apis.meta.v1.{kind}");
        let id = self.kind(&api_version, &kind).or_else(|| self.named(&options).filter(|_| kind.ends_with("Options")));
        let Some(id) = id else { return Err(ProtobufError::Kind { api_version, kind }) };
        let mut value =
            Value::Object(decode_struct(self, self.get(id), raw, Room { depth: 0, left: &Cell::new(MAX_PARTS) })?);
        value["apiVersion"] = Value::String(api_version);
        value["kind"] = Value::String(kind);
        Ok(value)
    }
}

impl Schema {
    /// Decodes a message without envelope.
    ///
    /// # Errors
    /// See [`ProtobufError`].
    pub fn decode_message(&self, message: &[u8]) -> Result<Value, ProtobufError> {
        decode_struct(&self.types, self.types.get(self.root), message, Room { depth: 0, left: &Cell::new(MAX_PARTS) })
            .map(Value::Object)
    }
}

/// What a field holds.
#[derive(Clone, Copy)]
enum Wire<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32,
}

impl<'a> Wire<'a> {
    fn bytes(self) -> Result<&'a [u8], ProtobufError> {
        if let Self::Bytes(bytes) = self { Ok(bytes) } else { Err(ProtobufError::Broken) }
    }

    fn text(self) -> Result<String, ProtobufError> {
        self.bytes().map(|b| String::from_utf8_lossy(b).into_owned())
    }

    /// Negative numbers come as their two's complement in 64 bits.
    fn int(self) -> Result<i64, ProtobufError> {
        if let Self::Varint(n) = self { Ok(n.cast_signed()) } else { Err(ProtobufError::Broken) }
    }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn varint(&mut self) -> Result<u64, ProtobufError> {
        let mut out = 0;
        for shift in (0..70).step_by(7) {
            let (&byte, rest) = self.rest.split_first().ok_or(ProtobufError::Broken)?;
            self.rest = rest;
            out |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            if byte & 0x80 == 0 {
                return Ok(out);
            }
        }
        Err(ProtobufError::Broken)
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], ProtobufError> {
        let (head, rest) = self.rest.split_at_checked(count).ok_or(ProtobufError::Broken)?;
        self.rest = rest;
        Ok(head)
    }

    /// The next field's number and content; `None` at the end.
    fn field(&mut self) -> Result<Option<(u32, Wire<'a>)>, ProtobufError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let number = u32::try_from(tag >> 3).ok().filter(|&n| n > 0).ok_or(ProtobufError::Broken)?;
        let wire = match tag & 7 {
            0 => Wire::Varint(self.varint()?),
            1 => {
                let bytes = self.take(8)?.try_into().map_err(|_| ProtobufError::Broken)?;
                Wire::Fixed64(u64::from_le_bytes(bytes))
            }
            2 => {
                let len = usize::try_from(self.varint()?).map_err(|_| ProtobufError::Broken)?;
                Wire::Bytes(self.take(len)?)
            }
            5 => self.take(4).map(|_| Wire::Fixed32)?,
            _ => return Err(ProtobufError::Broken),
        };
        Ok(Some((number, wire)))
    }
}

fn decode_struct(
    schemas: &Schemas,
    one: &Struct,
    message: &[u8],
    room: Room<'_>,
) -> Result<Map<String, Value>, ProtobufError> {
    room.take()?;
    let mut fields = Map::new();
    read_fields(schemas, one, &mut Vec::new(), message, room, &mut fields)?;
    fields.retain(|name, value| !value.is_null() && one.field(name).is_some_and(|f| !omitted(f, value)));
    complete(schemas, one, &mut fields);
    Ok(fields)
}

/// Reads the fields whose numbers begin with `path`: what JSON flattens is a message of its own here.
fn read_fields(
    schemas: &Schemas,
    one: &Struct,
    path: &mut Vec<u32>,
    message: &[u8],
    room: Room<'_>,
    out: &mut Map<String, Value>,
) -> Result<(), ProtobufError> {
    let mut reader = Reader { rest: message };
    while let Some((number, wire)) = reader.field()? {
        path.push(number);
        if let Some(field) = one.fields.iter().find(|f| *f.numbers == **path) {
            read_field(schemas, field, wire, room, out)?;
        } else if one.fields.iter().any(|f| f.numbers.starts_with(path)) {
            read_fields(schemas, one, path, wire.bytes()?, room, out)?;
        }
        path.pop();
    }
    Ok(())
}

fn read_field(
    schemas: &Schemas,
    field: &Field,
    wire: Wire<'_>,
    room: Room<'_>,
    out: &mut Map<String, Value>,
) -> Result<(), ProtobufError> {
    let name = || String::from(&*field.name);
    match &field.node.kind {
        Kind::List(element) if !is_wrapped(&field.node) => {
            let Value::Array(items) = out.entry(name()).or_insert_with(|| Value::Array(Vec::new())) else {
                return Ok(());
            };
            if let (Wire::Bytes(packed), Kind::Int32 | Kind::Int64) = (wire, &element.kind) {
                let mut reader = Reader { rest: packed };
                while !reader.rest.is_empty() {
                    items.push(Value::from(reader.varint()?.cast_signed()));
                }
            } else {
                items.push(read_value(schemas, element, wire, room)?);
            }
        }
        Kind::Map(element) => {
            room.take()?;
            let Value::Object(entries) = out.entry(name()).or_insert_with(|| Value::Object(Map::new())) else {
                return Ok(());
            };
            let (mut key, mut value) = (String::new(), super::types::zero(schemas, element));
            let mut reader = Reader { rest: wire.bytes()? };
            while let Some((number, wire)) = reader.field()? {
                match number {
                    1 => key = wire.text()?,
                    2 => value = read_value(schemas, element, wire, room)?,
                    _ => {}
                }
            }
            if value.is_null() && matches!(element.kind, Kind::Bytes) {
                value = Value::String(String::new());
            }
            entries.insert(key, value);
        }
        _ => {
            out.insert(name(), read_value(schemas, &field.node, wire, room)?);
        }
    }
    Ok(())
}

/// Lists that have a message around them.
fn is_wrapped(node: &Node) -> bool {
    matches!(&*node.go, "v1.ExtraValue" | "v1.Verbs")
}

fn read_value(schemas: &Schemas, node: &Node, wire: Wire<'_>, room: Room<'_>) -> Result<Value, ProtobufError> {
    Ok(match &node.kind {
        Kind::String => Value::String(wire.text()?),
        Kind::Bool => Value::Bool(wire.int()? != 0),
        Kind::Int32 | Kind::Int64 => Value::from(wire.int()?),
        Kind::Float64 => match wire {
            Wire::Fixed64(bits) => Value::from(f64::from_bits(bits)),
            _ => return Err(ProtobufError::Broken),
        },
        Kind::Bytes => Value::String(STANDARD.encode(wire.bytes()?)),
        Kind::Time => read_time(wire.bytes()?, "%Y-%m-%dT%H:%M:%SZ", false)?,
        Kind::MicroTime => read_time(wire.bytes()?, "%Y-%m-%dT%H:%M:%S.%6fZ", true)?,
        Kind::Quantity => read_quantity(wire.bytes()?)?,
        Kind::IntOrString => read_int_or_string(wire.bytes()?)?,
        Kind::Raw => read_raw(node, wire.bytes()?)?,
        Kind::Struct(id) => Value::Object(decode_struct(schemas, schemas.get(*id), wire.bytes()?, room.deeper())?),
        Kind::List(element) => {
            let mut items = Vec::new();
            let mut reader = Reader { rest: wire.bytes()? };
            while let Some((_, wire)) = reader.field()? {
                items.push(read_value(schemas, element, wire, room.deeper())?);
            }
            Value::Array(items)
        }
        Kind::Map(_) => return Err(ProtobufError::Value("maps of maps have no encoding".to_owned())),
    })
}

/// Seconds and nanoseconds; both zero is no time.
fn read_time(message: &[u8], format: &str, fraction: bool) -> Result<Value, ProtobufError> {
    let (mut seconds, mut nanos) = (0, 0);
    let mut reader = Reader { rest: message };
    while let Some((number, wire)) = reader.field()? {
        match number {
            1 => seconds = wire.int()?,
            2 => nanos = wire.int()?,
            _ => {}
        }
    }
    if seconds == 0 && nanos == 0 {
        return Ok(Value::Null);
    }
    let nanos = if fraction { i32::try_from(nanos).unwrap_or(0) } else { 0 };
    let at = Timestamp::new(seconds, nanos).map_err(|e| ProtobufError::Value(e.to_string()))?;
    Ok(Value::String(at.strftime(format).to_string()))
}

fn read_quantity(message: &[u8]) -> Result<Value, ProtobufError> {
    let mut text = String::new();
    let mut reader = Reader { rest: message };
    while let Some((number, wire)) = reader.field()? {
        if number == 1 {
            text = wire.text()?;
        }
    }
    if text.is_empty() {
        return Ok(Value::from("0"));
    }
    super::leaf::quantity(&text).map_err(ProtobufError::Value)
}

fn read_int_or_string(message: &[u8]) -> Result<Value, ProtobufError> {
    let (mut is_text, mut int, mut text) = (false, 0, String::new());
    let mut reader = Reader { rest: message };
    while let Some((number, wire)) = reader.field()? {
        match number {
            1 => is_text = wire.int()? != 0,
            2 => int = wire.int()?,
            3 => text = wire.text()?,
            _ => {}
        }
    }
    Ok(if is_text { Value::String(text) } else { Value::from(int) })
}

/// JSON inside a message.
fn read_raw(node: &Node, message: &[u8]) -> Result<Value, ProtobufError> {
    if !matches!(&*node.go, "runtime.RawExtension" | "v1.FieldsV1" | "v1.JSON") {
        return Err(ProtobufError::Value(format!("{} is not supported in protobuf", node.go)));
    }
    let mut reader = Reader { rest: message };
    while let Some((number, wire)) = reader.field()? {
        if number == 1 && !wire.bytes()?.is_empty() {
            return Ok(Untyped::parse(wire.bytes()?).map_err(ProtobufError::Value)?.value);
        }
    }
    Ok(Value::Null)
}
