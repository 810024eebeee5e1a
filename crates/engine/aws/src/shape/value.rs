//! A response, typed but not yet written.

use bytes::Bytes;
use jiff::Timestamp;

use super::Names;

/// A response's members before a codec writes them.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Not written at all.
    Absent,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with a fraction.
    Float(f64),
    /// A string.
    Text(String),
    /// Written as the protocol writes times: ISO 8601 in XML, seconds since the epoch in JSON.
    Time(Timestamp),
    /// Base64 in every protocol.
    Blob(Bytes),
    /// Items in order.
    List(Vec<Value>),
    /// Keys of the caller's choosing.
    Map(Vec<(String, Value)>),
    /// Members with wire names.
    Struct(Vec<(&'static Names, Value)>),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}
