//! Shapes that are not structures.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jiff::Timestamp;

use super::{Case, DecodeError, Shape, Tree, Value};

/// Bytes, in base64 on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Blob(pub Bytes);

impl Shape for String {
    fn decode(tree: &Tree, _case: Case) -> Result<Self, DecodeError> {
        tree.text().map(str::to_owned)
    }

    fn encode(self) -> Value {
        Value::Text(self)
    }
}

impl Shape for bool {
    fn decode(tree: &Tree, _case: Case) -> Result<Self, DecodeError> {
        match tree {
            Tree::Bool(value) => Ok(*value),
            Tree::Raw(text) if text.eq_ignore_ascii_case("true") => Ok(true),
            Tree::Raw(text) if text.eq_ignore_ascii_case("false") => Ok(false),
            other => Err(DecodeError::wrong_type("boolean", other.shown())),
        }
    }

    fn encode(self) -> Value {
        Value::Bool(self)
    }
}

macro_rules! whole_numbers {
    ($($number:ty),*) => {$(
        impl Shape for $number {
            fn decode(tree: &Tree, _case: Case) -> Result<Self, DecodeError> {
                let number = match tree {
                    Tree::Number(number) => number.as_i64().and_then(|n| Self::try_from(n).ok()),
                    Tree::Raw(text) => text.parse().ok(),
                    _ => None,
                };
                number.ok_or_else(|| DecodeError::wrong_type("integer", tree.shown()))
            }

            fn encode(self) -> Value {
                Value::Int(i64::from(self))
            }
        }
    )*};
}

whole_numbers!(i64, i32, u32, u16, u8);

impl Shape for f64 {
    fn decode(tree: &Tree, _case: Case) -> Result<Self, DecodeError> {
        let number = match tree {
            Tree::Number(number) => number.as_f64(),
            Tree::Raw(text) => text.parse().ok().filter(|n: &f64| n.is_finite()),
            _ => None,
        };
        number.ok_or_else(|| DecodeError::wrong_type("number", tree.shown()))
    }

    fn encode(self) -> Value {
        Value::Float(self)
    }
}

impl Shape for Timestamp {
    fn decode(tree: &Tree, _case: Case) -> Result<Self, DecodeError> {
        let time = match tree {
            Tree::Number(number) => number.as_f64().and_then(from_seconds),
            Tree::Raw(text) | Tree::Text(text) => text.parse().ok(),
            _ => None,
        };
        time.ok_or_else(|| DecodeError::wrong_type("timestamp", tree.shown()))
    }

    fn encode(self) -> Value {
        Value::Time(self)
    }
}

fn from_seconds(seconds: f64) -> Option<Timestamp> {
    let milliseconds = (seconds * 1000.0).round();
    // Within jiff's range, so the cast keeps the number.
    (milliseconds.abs() < 9.0e15).then(|| Timestamp::from_millisecond(milliseconds as i64).ok()).flatten()
}

impl Shape for Blob {
    fn decode(tree: &Tree, _case: Case) -> Result<Self, DecodeError> {
        let text = tree.text()?;
        let bytes = STANDARD.decode(text).map_err(|_| DecodeError::wrong_type("base64", text))?;
        Ok(Self(bytes.into()))
    }

    fn encode(self) -> Value {
        Value::Blob(self.0)
    }
}

impl<T: Shape> Shape for Option<T> {
    fn decode(tree: &Tree, case: Case) -> Result<Self, DecodeError> {
        T::decode(tree, case).map(Some)
    }

    fn unread(tree: &Tree, case: Case, at: &str, found: &mut Vec<String>) {
        T::unread(tree, case, at, found);
    }

    fn absent() -> Option<Self> {
        Some(None)
    }

    fn encode(self) -> Value {
        self.map_or(Value::Absent, Shape::encode)
    }
}

impl<T: Shape> Shape for Box<T> {
    fn decode(tree: &Tree, case: Case) -> Result<Self, DecodeError> {
        T::decode(tree, case).map(Self::new)
    }

    fn unread(tree: &Tree, case: Case, at: &str, found: &mut Vec<String>) {
        T::unread(tree, case, at, found);
    }

    fn absent() -> Option<Self> {
        T::absent().map(Self::new)
    }

    fn encode(self) -> Value {
        (*self).encode()
    }
}

impl<T: Shape> Shape for Vec<T> {
    fn decode(tree: &Tree, case: Case) -> Result<Self, DecodeError> {
        let decode = |(position, item): (usize, &Tree)| {
            T::decode(item, case).map_err(|error| error.within(&(position + 1).to_string()))
        };
        tree.items()?.into_iter().enumerate().map(decode).collect()
    }

    fn unread(tree: &Tree, case: Case, at: &str, found: &mut Vec<String>) {
        for item in tree.items().unwrap_or_default() {
            T::unread(item, case, at, found);
        }
    }

    fn absent() -> Option<Self> {
        Some(Self::new())
    }

    fn encode(self) -> Value {
        Value::List(self.into_iter().map(Shape::encode).collect())
    }
}

impl<T: Shape> Shape for BTreeMap<String, T> {
    fn decode(tree: &Tree, case: Case) -> Result<Self, DecodeError> {
        let decode = |(key, value): (String, &Tree)| match T::decode(value, case) {
            Ok(value) => Ok((key, value)),
            Err(error) => Err(error.within(&key)),
        };
        tree.pairs()?.into_iter().map(decode).collect()
    }

    fn unread(tree: &Tree, case: Case, at: &str, found: &mut Vec<String>) {
        for (_, value) in tree.pairs().unwrap_or_default() {
            T::unread(value, case, at, found);
        }
    }

    fn absent() -> Option<Self> {
        Some(Self::new())
    }

    fn encode(self) -> Value {
        Value::Map(self.into_iter().map(|(key, value)| (key, value.encode())).collect())
    }
}
