//! Objects as stored: their final JSON, once encoded, with the revision spliced in where the store's closure knows it.
//!
//! Every stored object begins `{"kind":K,"apiVersion":V,"metadata":{"resourceVersion":"N",`, so that a list can leave
//! out kind and version by slicing, and a deletion can be told with its own revision by replacing `N`.

use bytes::{Bytes, BytesMut};
use serde_json::{Map, Value};

use crate::resource::Resource;

/// Digits of the largest revision.
const DIGITS: usize = 20;

/// An encoded object that waits for its revision.
#[derive(Debug)]
pub struct Encoded {
    /// `DIGITS` spare bytes, the head, the tail.
    buffer: Vec<u8>,
    /// Length of the head: everything up to the opening quote of the revision.
    head: usize,
}

impl Encoded {
    /// Encodes `object` as one of `resource`. The object's own `resourceVersion`, `kind` and `apiVersion` are ignored.
    #[must_use]
    pub fn new(resource: &Resource, object: &Value) -> Self {
        if resource.strategy.converts() {
            let mut stored = object.clone();
            resource.strategy.encode_stored(&mut stored);
            return Self::with_head(&resource.stored_head, &stored);
        }
        Self::with_head(&resource.head, object)
    }

    fn with_head(start: &str, object: &Value) -> Self {
        let mut buffer = Vec::with_capacity(2048);
        buffer.extend_from_slice(&[b' '; DIGITS]);
        buffer.extend_from_slice(start.as_bytes());
        buffer.extend_from_slice(b"\"metadata\":{\"resourceVersion\":\"");
        let head = buffer.len() - DIGITS;
        buffer.push(b'"');
        let nothing = Map::new();
        let fields = object.as_object().unwrap_or(&nothing);
        if let Some(metadata) = fields.get("metadata").and_then(Value::as_object) {
            members(&mut buffer, metadata, &["resourceVersion"]);
        }
        buffer.push(b'}');
        members(&mut buffer, fields, &["metadata", "kind", "apiVersion"]);
        buffer.push(b'}');
        Self { buffer, head }
    }

    /// Bytes of the object, about.
    #[must_use]
    pub fn size(&self) -> usize {
        self.buffer.len() - DIGITS
    }

    /// The final bytes. Moves the short head, not the object.
    #[must_use]
    pub fn at(mut self, revision: u64) -> Bytes {
        let mut digits = itoa(revision);
        let digits = digits.text();
        let start = DIGITS - digits.len();
        self.buffer.copy_within(DIGITS..DIGITS + self.head, start);
        self.buffer[start + self.head..DIGITS + self.head].copy_from_slice(digits);
        Bytes::from(self.buffer).slice(start..)
    }
}

fn members(buffer: &mut Vec<u8>, fields: &Map<String, Value>, without: &[&str]) {
    for (name, value) in fields {
        if without.contains(&name.as_str()) {
            continue;
        }
        buffer.push(b',');
        write(buffer, &name);
        buffer.push(b':');
        write(buffer, value);
    }
}

fn write(buffer: &mut Vec<u8>, value: &impl serde::Serialize) {
    serde_json::to_writer(buffer, value).expect("a tree always serializes into memory");
}

/// Decimal digits on the stack.
struct Digits {
    bytes: [u8; DIGITS],
    start: usize,
}

fn itoa(mut number: u64) -> Digits {
    let mut digits = Digits { bytes: [b'0'; DIGITS], start: DIGITS };
    loop {
        digits.start -= 1;
        digits.bytes[digits.start] = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
        if number == 0 {
            return digits;
        }
    }
}

impl Digits {
    fn text(&mut self) -> &[u8] {
        &self.bytes[self.start..]
    }
}

/// A stored object in the form of the resource through which it is read.
#[must_use]
pub fn shown(resource: &Resource, stored: &Bytes) -> Bytes {
    if !resource.strategy.converts() {
        return stored.clone();
    }
    let Ok(mut object) = serde_json::from_slice::<Value>(stored) else { return stored.clone() };
    resource.strategy.decode_stored(&mut object);
    let revision = meta(&object, "resourceVersion").parse().unwrap_or(0);
    Encoded::with_head(&resource.head, &object).at(revision)
}

/// An object of one resource in the form of another that shows the same objects.
pub fn convert(from: &Resource, to: &Resource, object: &mut Value) {
    from.strategy.encode_stored(object);
    to.strategy.decode_stored(object);
}

/// A stored object without `kind` and `apiVersion`, as items of a list are written: to be preceded by `{`.
#[must_use]
pub fn item(resource: &Resource, stored: &Bytes) -> Bytes {
    if stored.starts_with(resource.head.as_bytes()) { stored.slice(resource.head.len()..) } else { stored.slice(1..) }
}

/// A stored object as it would read at another revision.
#[must_use]
pub fn at_revision(resource: &Resource, stored: &Bytes, revision: u64) -> Bytes {
    const FIELD: &[u8] = b"\"metadata\":{\"resourceVersion\":\"";
    let start = resource.stored_head.len() + FIELD.len();
    let Some(length) = stored.get(start..).and_then(|rest| rest.iter().position(|b| *b == b'"')) else {
        return stored.clone();
    };
    let mut digits = itoa(revision);
    let mut out = BytesMut::with_capacity(stored.len() + DIGITS);
    out.extend_from_slice(&stored[..start]);
    out.extend_from_slice(digits.text());
    out.extend_from_slice(&stored[start + length..]);
    out.freeze()
}

/// A time as `metav1.Time` writes it: RFC 3339, UTC, seconds.
#[must_use]
pub fn time(at: jiff::Timestamp) -> String {
    let (s, _) = (at.as_second(), 0);
    jiff::Timestamp::from_second(s).unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_string()
}

/// The metadata of an object; made when it is missing.
pub fn metadata(object: &mut Value) -> &mut Map<String, Value> {
    if !object.is_object() {
        *object = Value::Object(Map::new());
    }
    let fields = object.as_object_mut().expect("made an object above");
    let slot = fields.entry("metadata").or_insert_with(|| Value::Object(Map::new()));
    if !slot.is_object() {
        *slot = Value::Object(Map::new());
    }
    slot.as_object_mut().expect("made an object above")
}

/// A text field of the metadata, empty when it is missing.
#[must_use]
pub fn meta<'a>(object: &'a Value, name: &str) -> &'a str {
    object.get("metadata").and_then(|m| m.get(name)).and_then(Value::as_str).unwrap_or_default()
}

/// The labels of an object.
#[must_use]
pub fn labels(object: &Value) -> crate::selector::Labels {
    let found = object.get("metadata").and_then(|m| m.get("labels")).and_then(Value::as_object);
    found
        .map(|labels| labels.iter().filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned()))).collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::Row;

    #[test]
    fn the_revision_is_spliced_in() {
        let resource = Resource::from_row(&Row::namespaced("", "v1", "ConfigMap", "configmaps"));
        let object = serde_json::json!({"data": {"a": "b"}, "metadata": {"name": "x", "resourceVersion": "1"}});
        for revision in [0, 7, 1234, u64::MAX] {
            let bytes = Encoded::new(&resource, &object).at(revision);
            let text = std::str::from_utf8(&bytes).unwrap();
            assert_eq!(
                text,
                format!(
                    "{{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"metadata\":{{\"resourceVersion\":\"{revision}\",\"name\":\"x\"}},\
                     \"data\":{{\"a\":\"b\"}}}}"
                )
            );
            assert_eq!(at_revision(&resource, &bytes, 55), Encoded::new(&resource, &object).at(55));
            assert!(item(&resource, &bytes).starts_with(b"\"metadata\""));
        }
    }

    #[test]
    fn times_have_seconds() {
        assert_eq!(time(jiff::Timestamp::new(1, 999).unwrap()), "1970-01-01T00:00:01Z");
    }
}
