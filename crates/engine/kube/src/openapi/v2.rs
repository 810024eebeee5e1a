//! OpenAPI v2: one document of all group versions, said again from the words of v3. `kubectl` reads it for what v3 does
//! not name, such as a `List`; older clients read nothing else.

use serde_json::{Map, Value, json};

const V3_TYPES: &str = "#/components/schemas/";
const V2_TYPES: &str = "#/definitions/";

/// A type.
pub(super) fn definition(v3: Value) -> Value {
    match v3 {
        Value::Object(fields) => Value::Object(schema(fields)),
        other => other,
    }
}

/// A schema: v2 has no alternatives, shows no defaults, and a reference stands beside its description.
fn schema(v3: Map<String, Value>) -> Map<String, Value> {
    let mut out = Map::new();
    for (name, value) in v3 {
        match (name.as_str(), value) {
            ("default", _) => {}
            // A quantity or a port: whatever it is, text can say it.
            ("oneOf", _) => drop(out.insert("type".to_owned(), json!("string"))),
            ("allOf", Value::Array(all)) => {
                out.extend(all.into_iter().filter_map(|one| one.as_object().cloned()).flat_map(schema));
            }
            ("$ref", Value::String(name)) => {
                out.insert("$ref".to_owned(), json!(name.replacen(V3_TYPES, V2_TYPES, 1)));
            }
            ("items" | "additionalProperties", Value::Object(inner)) => {
                out.insert(name, Value::Object(schema(inner)));
            }
            ("properties", Value::Object(inner)) => {
                let inner = inner.into_iter().map(|(field, value)| (field, definition(value)));
                out.insert(name, Value::Object(inner.collect()));
            }
            (_, value) => drop(out.insert(name, value)),
        }
    }
    out
}

/// A path with its operations.
pub(super) fn path(v3: Value) -> Value {
    let Value::Object(fields) = v3 else { return v3 };
    let item = fields.into_iter().map(|(name, value)| match (name.as_str(), value) {
        ("parameters", value) => (name, parameters(value)),
        (_, Value::Object(operation)) => (name, Value::Object(self::operation(operation))),
        (_, other) => (name, other),
    });
    Value::Object(item.collect())
}

/// The type of a parameter stands in it.
fn parameters(v3: Value) -> Value {
    let Value::Array(list) = v3 else { return v3 };
    let flat = list.into_iter().map(|mut parameter| {
        let inner = parameter.as_object_mut().and_then(|fields| fields.remove("schema"));
        if let (Some(fields), Some(Value::Object(inner))) = (parameter.as_object_mut(), inner) {
            fields.extend(inner);
        }
        parameter
    });
    Value::Array(flat.collect())
}

/// The body is a parameter, and media types belong to the operation.
fn operation(mut v3: Map<String, Value>) -> Map<String, Value> {
    let own = v3.remove("parameters").map(parameters);
    let mut list = own.and_then(|list| list.as_array().cloned()).unwrap_or_default();
    if let Some(Value::Object(mut body)) = v3.remove("requestBody") {
        let (media, inner) = content(&mut body);
        let mut parameter = json!({"name": "body", "in": "body"});
        parameter["schema"] = inner.unwrap_or_else(|| json!({}));
        if let Some(required) = body.remove("required") {
            parameter["required"] = required;
        }
        list.insert(0, parameter);
        v3.insert("consumes".to_owned(), json!(media));
    }
    if !list.is_empty() {
        v3.insert("parameters".to_owned(), Value::Array(list));
    }
    let mut produces = Vec::new();
    for answer in v3.get_mut("responses").and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut) {
        let Some(answer) = answer.as_object_mut() else { continue };
        let (media, inner) = content(answer);
        if let Some(inner) = inner {
            answer.insert("schema".to_owned(), inner);
            produces = media;
        }
    }
    v3.insert("produces".to_owned(), json!(produces));
    v3.insert("schemes".to_owned(), json!(["https"]));
    v3
}

/// Takes the `content` out of a body or an answer: its media types, and their schema.
fn content(from: &mut Map<String, Value>) -> (Vec<String>, Option<Value>) {
    let Some(Value::Object(content)) = from.remove("content") else { return (Vec::new(), None) };
    let inner = content.values().next().and_then(|one| one.get("schema")).cloned().map(definition);
    (content.into_iter().map(|(media, _)| media).collect(), inner)
}
