//! JSON without a type, as upstream reads a patch: numbers without a point are whole, duplicates are noted.

use serde_json::{Map, Value};

use super::scan::{Scanner, Start, SyntaxError};

/// A value without a type, and the fields that it gives twice (`duplicate field "a.b"`, at most 100).
#[derive(Debug)]
pub struct Untyped {
    /// The value; of fields given twice the last.
    pub value: Value,
    /// What a strict reader has against it.
    pub strict: Vec<String>,
}

impl Untyped {
    /// Reads JSON.
    ///
    /// # Errors
    /// Not JSON; the text is Go's.
    pub fn parse(body: &[u8]) -> Result<Self, String> {
        let text = String::from_utf8_lossy(body);
        let mut reader = Reader { scan: Scanner::new(&text, body), strict: Vec::new(), path: String::new() };
        let value = reader.document().map_err(|e| e.to_string())?;
        Ok(Self { value, strict: reader.strict })
    }

    /// Reads a JSON object; `null` is an empty one.
    ///
    /// # Errors
    /// Not JSON, or not an object; the text is Go's.
    pub fn parse_object(body: &[u8]) -> Result<(Map<String, Value>, Vec<String>), String> {
        let read = Self::parse(body)?;
        match read.value {
            Value::Object(fields) => Ok((fields, read.strict)),
            Value::Null => Ok((Map::new(), read.strict)),
            other => {
                Err(format!("json: cannot unmarshal {} into Go value of type map[string]interface {{}}", shape(&other)))
            }
        }
    }
}

/// The shape of a value as Go's JSON errors name it.
#[must_use]
pub fn shape(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// The number that Go's decoder makes of a literal.
pub(super) fn number(literal: &str) -> Value {
    literal.parse::<i64>().map_or_else(|_| Value::from(literal.parse::<f64>().unwrap_or(f64::MAX)), Value::from)
}

struct Reader<'a> {
    scan: Scanner<'a>,
    strict: Vec<String>,
    path: String,
}

impl Reader<'_> {
    fn document(&mut self) -> Result<Value, SyntaxError> {
        let value = self.value()?;
        self.scan.end()?;
        Ok(value)
    }

    fn value(&mut self) -> Result<Value, SyntaxError> {
        Ok(match self.scan.start()? {
            Start::Null => {
                self.scan.null()?;
                Value::Null
            }
            Start::Bool => Value::Bool(self.scan.bool()?),
            Start::String => Value::String(self.scan.string()?.into_owned()),
            Start::Number => number(self.scan.number()?),
            Start::Array => self.array()?,
            Start::Object => self.object()?,
        })
    }

    fn array(&mut self) -> Result<Value, SyntaxError> {
        let mut out = Vec::new();
        let here = self.path.len();
        self.scan.open()?;
        while self.scan.next_element(out.is_empty())? {
            self.path.push_str(&format!("[{}]", out.len()));
            out.push(self.value()?);
            self.path.truncate(here);
        }
        Ok(Value::Array(out))
    }

    fn object(&mut self) -> Result<Value, SyntaxError> {
        let mut out = Map::new();
        let here = self.path.len();
        self.scan.open()?;
        let mut first = true;
        while let Some(key) = self.scan.next_key(first)? {
            first = false;
            if here > 0 {
                self.path.push('.');
            }
            self.path.push_str(&key);
            if out.contains_key(&*key) {
                let error = format!("duplicate field {:?}", self.path);
                if self.strict.len() < 100 && !self.strict.contains(&error) {
                    self.strict.push(error);
                }
            }
            let value = self.value()?;
            out.insert(key.into_owned(), value);
            self.path.truncate(here);
        }
        Ok(Value::Object(out))
    }
}
