//! Reading and writing object trees by path.

use serde_json::{Map, Value};

static NULL: Value = Value::Null;

/// The value at a JSON pointer without escapes; null where there is none.
pub(crate) fn at<'a>(value: &'a Value, path: &str) -> &'a Value {
    // `Value::pointer` makes two strings of every step to unescape it: a tenth of what creating a pod costs.
    let step = |value: &'a Value, name: &str| match value {
        Value::Object(fields) => fields.get(name),
        Value::Array(items) => items.get(name.parse::<usize>().ok()?),
        _ => None,
    };
    path.split('/').skip(1).try_fold(value, step).unwrap_or(&NULL)
}

/// The string at a JSON pointer; empty where there is none.
pub(crate) fn text<'a>(value: &'a Value, path: &str) -> &'a str {
    at(value, path).as_str().unwrap_or_default()
}

/// The integer at a JSON pointer.
pub(crate) fn number(value: &Value, path: &str) -> Option<i64> {
    at(value, path).as_i64()
}

/// Whether the boolean at a JSON pointer is true.
pub(crate) fn truth(value: &Value, path: &str) -> bool {
    at(value, path).as_bool().unwrap_or_default()
}

/// The members of the list at a JSON pointer; none where there is no list.
pub(crate) fn items<'a>(value: &'a Value, path: &str) -> &'a [Value] {
    at(value, path).as_array().map_or(&[], Vec::as_slice)
}

/// The members of the map at a JSON pointer.
pub(crate) fn entries<'a>(value: &'a Value, path: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    at(value, path).as_object().into_iter().flatten()
}

/// The map under a key, made when it is not there.
pub(crate) fn map<'a>(value: &'a mut Value, key: &str) -> Option<&'a mut Map<String, Value>> {
    let fields = value.as_object_mut()?;
    let inner = fields.entry(key).or_insert(Value::Null);
    if !inner.is_object() {
        *inner = Value::Object(Map::new());
    }
    inner.as_object_mut()
}

/// Sets a field that is missing, null or the empty string.
pub(crate) fn or_set(fields: &mut Map<String, Value>, key: &str, default: impl Into<Value>) {
    let missing = match fields.get(key) {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) => text.is_empty(),
        Some(_) => false,
    };
    if missing {
        fields.insert(key.to_owned(), default.into());
    }
}

/// The members of the list at a JSON pointer, to be changed.
pub(crate) fn items_mut<'a>(value: &'a mut Value, path: &str) -> impl Iterator<Item = &'a mut Value> {
    value.pointer_mut(path).and_then(Value::as_array_mut).into_iter().flatten()
}
