//! RFC 7386: nulls remove, objects merge, all else replaces.

use serde_json::{Map, Value};

/// Merges `patch` into `target`.
pub(super) fn merge(target: &mut Value, patch: Value) {
    let patch = match (patch, &*target) {
        (Value::Object(patch), Value::Object(_)) => patch,
        (mut patch, _) => {
            prune(&mut patch);
            *target = patch;
            return;
        }
    };
    if let Value::Object(fields) = target {
        merge_fields(fields, patch);
    }
}

fn merge_fields(fields: &mut Map<String, Value>, patch: Map<String, Value>) {
    for (key, mut value) in patch {
        if value.is_null() {
            fields.remove(&key);
            continue;
        }
        match fields.get_mut(&key) {
            Some(current) if !current.is_null() => merge(current, value),
            _ => {
                prune(&mut value);
                fields.insert(key, value);
            }
        }
    }
}

/// Removes the nulls of objects (those of lists stay).
fn prune(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, v| !v.is_null());
            fields.values_mut().for_each(prune);
        }
        Value::Array(items) => items.iter_mut().for_each(prune),
        _ => {}
    }
}
