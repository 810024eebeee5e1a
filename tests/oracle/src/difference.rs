//! Differences between two answers, as lines a person reads.

use std::collections::HashMap;

use serde_json::Value;

use crate::answer::Answer;

/// Which symbol of one run stands for which of the other: one to one, kept for a whole scenario, so that a difference in
/// one answer does not shift the count in all that follow.
#[derive(Debug, Default)]
pub struct Symbols {
    forth: HashMap<String, String>,
    back: HashMap<String, String>,
}

impl Symbols {
    /// Whether two texts are alike but for symbols that stand for each other.
    fn alike(&mut self, expected: &str, got: &str) -> bool {
        let (a, b) = (pieces(expected), pieces(got));
        a.len() == b.len()
            && a.iter().zip(&b).all(|(a, b)| match (class(a), class(b)) {
                (Some(one), Some(other)) if one == other => self.stand_for_each_other(a, b),
                _ => a == b,
            })
    }

    fn stand_for_each_other(&mut self, a: &str, b: &str) -> bool {
        match (self.forth.get(a), self.back.get(b)) {
            (None, None) => {
                self.forth.insert(a.to_owned(), b.to_owned());
                self.back.insert(b.to_owned(), a.to_owned());
                true
            }
            (Some(known), Some(_)) => known == b,
            _ => false,
        }
    }
}

/// The class of a symbol such as `<uid 3>`.
fn class(piece: &str) -> Option<&str> {
    let (class, count) = piece.strip_prefix('<')?.strip_suffix('>')?.split_once(' ')?;
    (matches!(class, "uid" | "rv" | "ip" | "port") && count.bytes().all(|b| b.is_ascii_digit())).then_some(class)
}

/// Cuts a text before each `<` and behind each `>`.
fn pieces(text: &str) -> Vec<&str> {
    let cut = |part: &'_ str| part.rfind('<').unwrap_or(0);
    let parts = text.split_inclusive('>').flat_map(|part| [&part[..cut(part)], &part[cut(part)..]]);
    parts.filter(|piece| !piece.is_empty()).collect()
}

/// Lines that say where `got` differs from `expected`; empty when they agree.
#[must_use]
pub fn between(expected: &Answer, got: &Answer, symbols: &mut Symbols) -> Vec<String> {
    let mut lines = Vec::new();
    if expected.status != got.status {
        lines.push(format!("status: expected {}, got {}", expected.status, got.status));
    }
    if expected.content != got.content {
        lines.push(format!("content type: expected {:?}, got {:?}", expected.content, got.content));
    }
    let same_headers = expected.headers.len() == got.headers.len()
        && expected.headers.iter().zip(&got.headers).all(|(a, b)| symbols.alike(a, b));
    if !same_headers {
        lines.push(format!("headers: expected {:?}, got {:?}", expected.headers, got.headers));
    }
    walk("", &expected.body, &got.body, symbols, &mut lines);
    lines
}

fn walk(path: &str, expected: &Value, got: &Value, symbols: &mut Symbols, lines: &mut Vec<String>) {
    match (expected, got) {
        (Value::Object(a), Value::Object(b)) => {
            for (key, value) in a {
                match b.get(key) {
                    Some(other) => walk(&format!("{path}/{key}"), value, other, symbols, lines),
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
                walk(&format!("{path}/{at}"), value, other, symbols, lines);
            }
            for (at, value) in a.iter().enumerate().skip(b.len()) {
                lines.push(format!("{path}/{at}: missing {}", short(value)));
            }
            for (at, value) in b.iter().enumerate().skip(a.len()) {
                lines.push(format!("{path}/{at}: extra {}", short(value)));
            }
        }
        (Value::String(a), Value::String(b)) if symbols.alike(a, b) => {}
        (a, b) if a == b && !a.is_string() => {}
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
            &mut Symbols::default(),
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
        assert!(between(&same, &same, &mut Symbols::default()).is_empty());
    }

    #[test]
    fn symbols_stand_for_each_other_one_to_one() {
        let mut symbols = Symbols::default();
        assert!(symbols.alike("is <rv 1>, not <uid 2>", "is <rv 4>, not <uid 2>"));
        assert!(symbols.alike("<rv 1>", "<rv 4>"));
        assert!(!symbols.alike("<rv 1>", "<rv 5>"), "one thing became two");
        assert!(!symbols.alike("<rv 2>", "<rv 4>"), "two things became one");
        assert!(!symbols.alike("<rv 7>", "<uid 7>"));
        assert!(symbols.alike("plain", "plain") && !symbols.alike("plain", "other"));
    }
}
