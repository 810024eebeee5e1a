//! RFC 6902, with the words (and the negative indices) of the library behind upstream's server.

use serde_json::{Map, Value};

use super::{MAX_COPIED, MAX_OPERATIONS, PatchError};
use crate::schema::{MAX_DEPTH, Untyped, shape};

const MISSING: &str = "missing value";

/// One step. Fields stay as they came: what is wrong with them shows when the step is taken.
pub(super) struct Operation(Map<String, Value>);

/// Reads a patch, and what a strict reader has against it.
pub(super) fn parse(body: &[u8]) -> Result<(Vec<Operation>, Vec<String>), PatchError> {
    let bad = |text: String| PatchError::Bad(format!("error decoding patch: {text}"));
    let read = Untyped::parse(body).map_err(bad)?;
    let items = match read.value {
        Value::Array(items) => items,
        Value::Null => Vec::new(),
        other => {
            let shape = shape(&other);
            return Err(bad(format!("json: cannot unmarshal {shape} into Go value of type []handlers.jsonPatchOp")));
        }
    };
    let mut strict: Vec<String> = read.strict.iter().map(|e| format!("json patch {e}")).collect();
    let mut operations = Vec::with_capacity(items.len());
    for (index, item) in items.into_iter().enumerate() {
        let fields = match item {
            Value::Object(fields) => fields,
            Value::Null => Map::new(),
            other => {
                let shape = shape(&other);
                return Err(bad(format!("json: cannot unmarshal {shape} into Go value of type handlers.jsonPatchOp")));
            }
        };
        check_fields(&fields, index, &mut strict).map_err(bad)?;
        operations.push(Operation(fields));
    }
    if operations.len() > MAX_OPERATIONS {
        let count = operations.len();
        let text = format!("The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {count}");
        return Err(PatchError::TooLarge(text));
    }
    Ok((operations, strict))
}

fn check_fields(fields: &Map<String, Value>, index: usize, strict: &mut Vec<String>) -> Result<(), String> {
    for (name, value) in fields {
        match (name.as_str(), value) {
            ("value", _) | ("op" | "path" | "from", Value::String(_) | Value::Null) => {}
            ("op" | "path" | "from", other) => {
                let shape = shape(other);
                return Err(format!(
                    "json: cannot unmarshal {shape} into Go struct field jsonPatchOp.{name} of type string"
                ));
            }
            _ => strict.push(format!("json patch unknown field {:?}", format!("[{index}].{name}"))),
        }
    }
    Ok(())
}

impl Operation {
    fn kind(&self) -> &str {
        self.0.get("op").and_then(Value::as_str).unwrap_or("unknown")
    }

    fn path(&self) -> Result<&str, String> {
        let missing = || format!("operation missing path field: {MISSING}");
        self.0.get("path").and_then(Value::as_str).ok_or_else(missing)
    }

    fn from(&self) -> Result<&str, String> {
        let missing = || format!("operation, missing from field: {MISSING}");
        self.0.get("from").and_then(Value::as_str).ok_or_else(missing)
    }

    fn value(&mut self) -> Value {
        self.0.remove("value").unwrap_or_default()
    }
}

/// Takes the steps in order; the first that fails ends it.
pub(super) fn apply(document: &mut Value, operations: Vec<Operation>) -> Result<(), String> {
    let mut growth = Growth::of(document);
    for operation in operations {
        growth.expect(document, &operation)?;
        match operation.kind() {
            "add" => add(document, operation)?,
            "remove" => remove(document, &operation)?,
            "replace" => replace(document, operation)?,
            "move" => relocate(document, &operation)?,
            "test" => test(document, &operation)?,
            "copy" => copy(document, &operation, &mut growth)?,
            other => return Err(format!("Unexpected kind: {other}")),
        }
    }
    Ok(())
}

fn add(document: &mut Value, mut operation: Operation) -> Result<(), String> {
    let value = operation.value();
    let path = operation.path().map_err(|_| format!("add operation failed to decode path: {MISSING}"))?;
    let (container, key) = find(document, path)
        .ok_or_else(|| format!("add operation does not apply: doc is missing path: \"{path}\": {MISSING}"))?;
    insert(container, &key, value).map_err(|e| format!("error in add for path: '{path}': {e}"))
}

fn remove(document: &mut Value, operation: &Operation) -> Result<(), String> {
    let path = operation.path().map_err(|_| format!("remove operation failed to decode path: {MISSING}"))?;
    let (container, key) = find(document, path)
        .ok_or_else(|| format!("remove operation does not apply: doc is missing path: \"{path}\": {MISSING}"))?;
    take(container, &key).map(drop).map_err(|e| format!("error in remove for path: '{path}': {e}"))
}

fn replace(document: &mut Value, mut operation: Operation) -> Result<(), String> {
    let value = operation.value();
    let path = operation.path().map_err(|e| format!("replace operation failed to decode path: {e}"))?;
    if path.is_empty() {
        if !value.is_object() && !value.is_array() {
            return Err("replace operation value must be object or array".to_owned());
        }
        *document = value;
        return Ok(());
    }
    let (container, key) = find(document, path)
        .ok_or_else(|| format!("replace operation does not apply: doc is missing path: {path}: {MISSING}"))?;
    match get(container, &key) {
        // A field that is not there can be replaced: upstream's library asks only lists.
        Ok(None) => insert(container, &key, value),
        Ok(Some(slot)) => {
            *slot = value;
            Ok(())
        }
        Err(_) => Err(format!("replace operation does not apply: doc is missing key: {path}: {MISSING}")),
    }
}

fn relocate(document: &mut Value, operation: &Operation) -> Result<(), String> {
    let from = operation.from().map_err(|e| format!("move operation failed to decode from: {e}"))?;
    let (container, key) = find(document, from)
        .ok_or_else(|| format!("move operation does not apply: doc is missing from path: {from}: {MISSING}"))?;
    let value = take(container, &key).map_err(|e| format!("error in move for path: '{key}': {e}"))?;
    let path = operation.path().map_err(|e| format!("move operation failed to decode path: {e}"))?;
    let (container, key) = find(document, path)
        .ok_or_else(|| format!("move operation does not apply: doc is missing destination path: {path}: {MISSING}"))?;
    insert(container, &key, value).map_err(|e| format!("error in move for path: '{path}': {e}"))
}

/// What a document becomes under its operations: a copy of a copy of a copy doubles both its size and its depth.
struct Growth {
    /// Bytes of JSON that copies added so far.
    copied: usize,
    /// No value of the document is nested deeper than this; it may be less deep.
    depth: usize,
}

impl Growth {
    fn of(document: &Value) -> Self {
        Self { copied: 0, depth: depth(document) }
    }

    /// Refuses an operation after which the document might be nested deeper than one that is decoded may be.
    fn expect(&mut self, document: &Value, operation: &Operation) -> Result<(), String> {
        let steps = |field: &str| operation.0.get(field).and_then(Value::as_str).map_or(0, |p| p.matches('/').count());
        let inner = match operation.kind() {
            "add" | "replace" => operation.0.get("value").map_or(0, depth),
            "move" | "copy" => self.depth.saturating_sub(steps("from")),
            _ => return Ok(()),
        };
        let reached = self.depth.max(steps("path") + inner);
        if reached > MAX_DEPTH {
            // What was moved may not have been the deepest part.
            self.depth = depth(document);
            let inner = if matches!(operation.kind(), "move" | "copy") {
                self.depth.saturating_sub(steps("from"))
            } else {
                inner
            };
            self.depth = self.depth.max(steps("path") + inner);
        } else {
            self.depth = reached;
        }
        if self.depth > MAX_DEPTH { Err("exceeded max depth".to_owned()) } else { Ok(()) }
    }

    /// Counts a copy (upstream's words for too many of them).
    fn copy(&mut self, value: &Value) -> Result<(), String> {
        self.copied += length(value);
        if self.copied > MAX_COPIED {
            return Err(format!(
                "Unable to complete the copy, the accumulated size increase of copy is {}, exceeding the limit {MAX_COPIED}",
                self.copied
            ));
        }
        Ok(())
    }
}

/// How deep a value is nested; a scalar is not.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// Bytes of a value's JSON.
fn length(value: &Value) -> usize {
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    // What cannot be written is as long as nothing can be.
    serde_json::to_writer(&mut count, value).map_or(usize::MAX / 2, |()| count.0)
}

fn copy(document: &mut Value, operation: &Operation, growth: &mut Growth) -> Result<(), String> {
    let from = operation.from().map_err(|e| format!("copy operation failed to decode from: {e}"))?;
    let (container, key) = find(document, from)
        .ok_or_else(|| format!("copy operation does not apply: doc is missing from path: {from}: {MISSING}"))?;
    let value = get(container, &key).map_err(|e| format!("error in copy for from: '{from}': {e}"))?;
    let value = value.map(|v| &*v).unwrap_or(&Value::Null);
    growth.copy(value)?;
    let value = value.clone();
    let path = operation.path().map_err(|_| format!("copy operation failed to decode path: {MISSING}"))?;
    let (container, key) = find(document, path)
        .ok_or_else(|| format!("copy operation does not apply: doc is missing destination path: {path}: {MISSING}"))?;
    insert(container, &key, value).map_err(|e| format!("error while adding value during copy: {e}"))
}

fn test(document: &mut Value, operation: &Operation) -> Result<(), String> {
    let path = operation.path().map_err(|e| format!("test operation failed to decode path: {e}"))?;
    let expected = operation.0.get("value").unwrap_or(&Value::Null);
    let failed = || format!("testing value {path} failed: test failed");
    if path.is_empty() {
        return if document == expected { Ok(()) } else { Err(failed()) };
    }
    let (container, key) = find(document, path)
        .ok_or_else(|| format!("test operation does not apply: is missing path: {path}: {MISSING}"))?;
    let found = get(container, &key).map_err(|e| format!("error in test for path: '{path}': {e}"))?;
    if found.map_or(&Value::Null, |v| &*v) == expected { Ok(()) } else { Err(failed()) }
}

/// The container that a pointer's last token belongs to, and that token.
fn find<'v>(document: &'v mut Value, path: &str) -> Option<(&'v mut Value, String)> {
    let mut tokens: Vec<&str> = path.split('/').collect();
    let last = tokens.pop().filter(|_| !tokens.is_empty())?;
    let mut here = document;
    for token in &tokens[1..] {
        here = get(here, &unescape(token)).ok().flatten()?;
    }
    if here.is_object() || here.is_array() { Some((here, unescape(last))) } else { None }
}

fn unescape(token: &str) -> String {
    token.replace("~1", "/").replace("~0", "~")
}

/// A place among `len`; negative ones count from the end.
fn place(key: &str, len: usize, limit: usize) -> Result<usize, String> {
    let index: i64 = key.parse().map_err(|_| go_number_error(key))?;
    let invalid = || format!("Unable to access invalid index: {index}: invalid index referenced");
    let from_end = if index < 0 { index + i64::try_from(len).map_err(|_| invalid())? } else { index };
    usize::try_from(from_end).ok().filter(|&at| at < limit).ok_or_else(invalid)
}

fn go_number_error(key: &str) -> String {
    let digits = key.strip_prefix(['-', '+']).unwrap_or(key);
    let number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    let why = if number { "value out of range" } else { "invalid syntax" };
    format!("strconv.Atoi: parsing {key:?}: {why}")
}

fn get<'v>(container: &'v mut Value, key: &str) -> Result<Option<&'v mut Value>, String> {
    match container {
        Value::Array(items) => {
            let at = place(key, items.len(), items.len())?;
            Ok(items.get_mut(at))
        }
        Value::Object(fields) => Ok(fields.get_mut(key)),
        _ => Ok(None),
    }
}

fn insert(container: &mut Value, key: &str, value: Value) -> Result<(), String> {
    match container {
        Value::Array(items) if key == "-" => items.push(value),
        Value::Array(items) => {
            let limit = items.len() + 1;
            let at = if key.parse::<i64>().is_ok() {
                place(key, limit, limit)?
            } else {
                return Err(format!("value was not a proper array index: '{key}': {}", go_number_error(key)));
            };
            items.insert(at, value);
        }
        Value::Object(fields) => {
            fields.insert(key.to_owned(), value);
        }
        _ => {}
    }
    Ok(())
}

fn take(container: &mut Value, key: &str) -> Result<Value, String> {
    match container {
        Value::Array(items) => {
            let at = place(key, items.len(), items.len())?;
            Ok(items.remove(at))
        }
        Value::Object(fields) => {
            fields.remove(key).ok_or_else(|| format!("Unable to remove nonexistent key: {key}: {MISSING}"))
        }
        _ => Err(MISSING.to_owned()),
    }
}
