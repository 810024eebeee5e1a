//! JSON: a body to a tree, a value to a body.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Number, Value as Json};

use super::{PARTS, SyntaxError};
use crate::shape::{Case, Tree, Value};

/// A body; nothing is an empty structure. `serde_json` bounds the depth.
///
/// # Errors
/// Not JSON.
pub(crate) fn tree(body: &[u8]) -> Result<Tree, SyntaxError> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Tree::Map(std::collections::BTreeMap::new()));
    }
    // At most: some may be in texts.
    if body.iter().filter(|byte| **byte == b'{').count() > PARTS {
        return Err(SyntaxError::Parts);
    }
    let json: Json = serde_json::from_slice(body).map_err(|error| SyntaxError::Json(error.to_string()))?;
    Ok(from_json(json))
}

fn from_json(json: Json) -> Tree {
    match json {
        Json::Null => Tree::Null,
        Json::Bool(value) => Tree::Bool(value),
        Json::Number(number) => Tree::Number(number),
        Json::String(text) => Tree::Text(text),
        Json::Array(items) => Tree::List(items.into_iter().map(from_json).collect()),
        Json::Object(members) => Tree::Map(members.into_iter().map(|(key, value)| (key, from_json(value))).collect()),
    }
}

/// A value as JSON; `None` where it is absent.
pub(crate) fn json(value: &Value, case: Case) -> Option<Json> {
    Some(match value {
        Value::Absent => return None,
        Value::Bool(value) => Json::Bool(*value),
        Value::Int(number) => Json::Number((*number).into()),
        Value::Float(number) => Number::from_f64(*number).map_or(Json::Null, Json::Number),
        Value::Text(text) => Json::String(text.clone()),
        Value::Time(time) => seconds(time.as_millisecond()),
        Value::Blob(bytes) => Json::String(STANDARD.encode(bytes)),
        Value::List(items) => Json::Array(items.iter().filter_map(|item| json(item, case)).collect()),
        Value::Map(entries) => {
            let entries = entries.iter().filter_map(|(key, value)| Some((key.clone(), json(value, case)?)));
            Json::Object(entries.collect())
        }
        Value::Struct(members) => {
            let members =
                members.iter().filter_map(|(names, value)| Some((names.write(case).to_owned(), json(value, case)?)));
            Json::Object(members.collect::<Map<_, _>>())
        }
    })
}

/// Seconds since the epoch, with milliseconds only where there are some.
fn seconds(milliseconds: i64) -> Json {
    if milliseconds % 1000 == 0 {
        return Json::Number((milliseconds / 1000).into());
    }
    // Exact for every time within jiff's range: below 2^53.
    Number::from_f64(milliseconds as f64 / 1000.0).map_or(Json::Null, Json::Number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_are_seconds() {
        assert_eq!(seconds(1_700_000_000_000).to_string(), "1700000000");
        assert_eq!(seconds(1_700_000_000_250).to_string(), "1700000000.25");
    }

    #[test]
    fn depth_is_bounded() {
        assert!(tree("[".repeat(100_000).as_bytes()).is_err());
        assert_eq!(tree(b"  ").unwrap(), Tree::Map(std::collections::BTreeMap::new()));
    }

    #[test]
    fn a_body_of_very_many_structures_is_refused() {
        assert_eq!(tree(format!("[{}{{}}]", "{},".repeat(60_000)).as_bytes()), Err(SyntaxError::Parts));
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = tree(&bytes);
        }

        #[test]
        fn near_json_never_panics(text in "[\\[\\]{}\",:a0-9.e+-]{0,60}") {
            let _ = tree(text.as_bytes());
        }
    }
}
