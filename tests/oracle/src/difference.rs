//! Differences between two answers, as lines a person reads.

use serde_json::Value;

use crate::answer::Answer;

/// Lines that say where `got` differs from `expected`; empty when they agree.
#[must_use]
pub fn between(expected: &Answer, got: &Answer) -> Vec<String> {
    let mut lines = Vec::new();
    if expected.status != got.status {
        lines.push(format!("status: expected {}, got {}", expected.status, got.status));
    }
    if expected.content != got.content {
        lines.push(format!("content type: expected {:?}, got {:?}", expected.content, got.content));
    }
    if expected.headers != got.headers {
        lines.push(format!("headers: expected {:?}, got {:?}", expected.headers, got.headers));
    }
    walk("", &expected.body, &got.body, &mut lines);
    lines
}

fn walk(path: &str, expected: &Value, got: &Value, lines: &mut Vec<String>) {
    match (expected, got) {
        (Value::Object(a), Value::Object(b)) => {
            for (key, value) in a {
                match b.get(key) {
                    Some(other) => walk(&format!("{path}/{key}"), value, other, lines),
                    None => lines.push(format!("{path}/{key}: expected {}, got nothing", short(value))),
                }
            }
            for (key, value) in b.iter().filter(|(key, _)| !a.contains_key(*key)) {
                lines.push(format!("{path}/{key}: expected nothing, got {}", short(value)));
            }
        }
        (Value::Array(a), Value::Array(b)) => {
            if a.len() != b.len() {
                lines.push(format!("{path}: expected {} members, got {}", a.len(), b.len()));
            }
            for (at, (value, other)) in a.iter().zip(b).enumerate() {
                walk(&format!("{path}/{at}"), value, other, lines);
            }
            for (at, value) in a.iter().enumerate().skip(b.len()) {
                lines.push(format!("{path}/{at}: missing {}", short(value)));
            }
            for (at, value) in b.iter().enumerate().skip(a.len()) {
                lines.push(format!("{path}/{at}: extra {}", short(value)));
            }
        }
        (a, b) if a == b => {}
        (a, b) => lines.push(format!("{path}: expected {}, got {}", short(a), short(b))),
    }
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(400) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_kind_of_difference_is_named() {
        let answer = |status, body| Answer { status, content: String::new(), headers: vec![], body };
        let lines = between(
            &answer(200, json!({"a": 1, "b": [1, 2], "c": "x"})),
            &answer(404, json!({"a": 2, "b": [1], "d": 0})),
        );
        assert_eq!(
            lines,
            [
                "status: expected 200, got 404",
                "/a: expected 1, got 2",
                "/b: expected 2 members, got 1",
                "/b/1: missing 2",
                "/c: expected \"x\", got nothing",
                "/d: expected nothing, got 0"
            ]
        );
        let same = answer(200, json!({"a": 1}));
        assert!(between(&same, &same).is_empty());
    }
}
