//! Label and field selectors: parsing as upstream parses, matching.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::status::StatusError;

/// The labels of an object.
pub type Labels = BTreeMap<String, String>;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Test {
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    DoesNotExist,
    Greater(i64),
    Less(i64),
}

/// A parsed `labelSelector`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LabelSelector {
    tests: Vec<(String, Test)>,
}

impl LabelSelector {
    /// Parses `a=b,c!=d,e in (f,g),!h,i,j>1`.
    ///
    /// # Errors
    /// 400 with upstream's lead-in when it cannot be parsed.
    pub fn parse(text: &str) -> Result<Self, StatusError> {
        let refuse = |why: String| StatusError::bad_request(format!("unable to parse requirement: {why}"));
        let mut tests = Vec::new();
        if !text.trim().is_empty() {
            for part in split_outside_parentheses(text) {
                tests.push(requirement(part.trim()).map_err(refuse)?);
            }
        }
        Ok(Self { tests })
    }

    /// Whether everything matches.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tests.is_empty()
    }

    /// Whether these labels match.
    #[must_use]
    pub fn matches(&self, labels: &Labels) -> bool {
        self.tests.iter().all(|(key, test)| {
            let value = labels.get(key);
            match test {
                Test::In(values) => value.is_some_and(|v| values.contains(v)),
                Test::NotIn(values) => value.is_none_or(|v| !values.contains(v)),
                Test::Exists => value.is_some(),
                Test::DoesNotExist => value.is_none(),
                Test::Greater(bound) => value.and_then(|v| v.parse::<i64>().ok()).is_some_and(|v| v > *bound),
                Test::Less(bound) => value.and_then(|v| v.parse::<i64>().ok()).is_some_and(|v| v < *bound),
            }
        })
    }
}

fn split_outside_parentheses(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut depth, mut start) = (0_u32, 0);
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

fn requirement(part: &str) -> Result<(String, Test), String> {
    if let Some(key) = part.strip_prefix('!') {
        return Ok((checked_key(key.trim())?, Test::DoesNotExist));
    }
    if let Some(found) = set_requirement(part)? {
        return Ok(found);
    }
    for (operator, negated) in [("!=", true), ("==", false), ("=", false)] {
        if let Some((key, value)) = part.split_once(operator) {
            if value.starts_with('=') {
                return Err("found '=', expected: identifier".to_owned());
            }
            let value = checked_value(key.trim(), value.trim())?;
            let test = if negated { Test::NotIn(vec![value]) } else { Test::In(vec![value]) };
            return Ok((checked_key(key.trim())?, test));
        }
    }
    for (operator, greater) in [('>', true), ('<', false)] {
        if let Some((key, value)) = part.split_once(operator) {
            let bound = value
                .trim()
                .parse()
                .map_err(|_| "for 'Gt', 'Lt' operators, the value must be an integer".to_owned())?;
            let test = if greater { Test::Greater(bound) } else { Test::Less(bound) };
            return Ok((checked_key(key.trim())?, test));
        }
    }
    Ok((checked_key(part)?, Test::Exists))
}

/// `key in (a,b)` and `key notin (a,b)`.
fn set_requirement(part: &str) -> Result<Option<(String, Test)>, String> {
    let Some((head, tail)) = part.split_once('(') else { return Ok(None) };
    let mut words = head.split_whitespace();
    let (Some(key), Some(operator), None) = (words.next(), words.next(), words.next()) else {
        return Err(format!("found '{part}', expected: in, notin"));
    };
    let Some(list) = tail.trim_end().strip_suffix(')') else {
        return Err("found '', expected: ',' or ')'".to_owned());
    };
    let values = list.split(',').map(|v| checked_value(key, v.trim())).collect::<Result<Vec<_>, _>>()?;
    match operator {
        "in" => Ok(Some((checked_key(key)?, Test::In(values)))),
        "notin" => Ok(Some((checked_key(key)?, Test::NotIn(values)))),
        other => Err(format!("found '{other}', expected: in, notin, =, ==, !=, gt, lt")),
    }
}

fn checked_key(key: &str) -> Result<String, String> {
    if key.is_empty() {
        return Err("found '', expected: !, identifier, or 'end of string'".to_owned());
    }
    if key.contains(char::is_whitespace) {
        let mut words = key.split_whitespace().skip(1);
        return Err(format!("found '{}', expected: in, notin, =, ==, !=, gt, lt", words.next().unwrap_or_default()));
    }
    let problems = crate::names::qualified_name(key);
    if problems.is_empty() {
        return Ok(key.to_owned());
    }
    Err(format!("key: Invalid value: {}: {}", crate::field::quote(key), problems.join("; ")))
}

fn checked_value(key: &str, value: &str) -> Result<String, String> {
    let problems = crate::names::label_value(value);
    if problems.is_empty() {
        return Ok(value.to_owned());
    }
    Err(format!("values[0][{key}]: Invalid value: {}: {}", crate::field::quote(value), problems.join("; ")))
}

/// A parsed `fieldSelector`: terms that must all hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldSelector {
    terms: Vec<Term>,
}

/// One term.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// Path of the field.
    pub field: String,
    /// True for `=` and `==`, false for `!=`.
    pub equal: bool,
    /// What it is compared with.
    pub value: String,
}

impl FieldSelector {
    /// Parses `a=b,c!=d`; `\` escapes `,`, `=` and itself.
    ///
    /// # Errors
    /// 400 when it cannot be parsed.
    pub fn parse(text: &str) -> Result<Self, StatusError> {
        let mut terms = Vec::new();
        for part in split_terms(text) {
            if part.is_empty() {
                continue;
            }
            let Some((field, equal, value)) = split_term(part) else {
                return Err(StatusError::bad_request(format!("invalid selector: '{text}'; can't understand '{part}'")));
            };
            terms.push(Term { field: field.to_owned(), equal, value: unescaped(value)? });
        }
        Ok(Self { terms })
    }

    /// The terms.
    #[must_use]
    pub fn terms(&self) -> &[Term] {
        &self.terms
    }

    /// Whether everything matches.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// The value that a field must have.
    #[must_use]
    pub fn exact(&self, field: &str) -> Option<&str> {
        self.terms.iter().find(|t| t.equal && t.field == field).map(|t| &*t.value)
    }

    /// Whether an object matches whose fields `get` reads; what it cannot read is left open.
    pub fn matches<'a>(&self, get: impl Fn(&str) -> Option<Cow<'a, str>>) -> bool {
        self.terms.iter().all(|term| get(&term.field).is_none_or(|value| (value == term.value) == term.equal))
    }
}

fn split_terms(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut escaped) = (0, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ',' => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

fn split_term(part: &str) -> Option<(&str, bool, &str)> {
    for (at, _) in part.char_indices() {
        for (operator, equal) in [("!=", false), ("==", true), ("=", true)] {
            if let Some(value) = part[at..].strip_prefix(operator) {
                return Some((&part[..at], equal, value));
            }
        }
    }
    None
}

fn unescaped(value: &str) -> Result<String, StatusError> {
    let refuse =
        || StatusError::bad_request(format!("invalid field selector: invalid escape sequence in value: {value}"));
    let mut out = String::with_capacity(value.len());
    let mut escaped = false;
    for c in value.chars() {
        match c {
            '\\' | ',' | '=' if escaped => {
                out.push(c);
                escaped = false;
            }
            _ if escaped => return Err(refuse()),
            '\\' => escaped = true,
            ',' | '=' => return Err(refuse()),
            c => out.push(c),
        }
    }
    if escaped { Err(refuse()) } else { Ok(out) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn every_operator() {
        let one = labels(&[("a", "b"), ("n", "5")]);
        for (text, expected) in [
            ("a=b", true),
            ("a==b", true),
            ("a!=b", false),
            ("c!=d", true),
            ("a in (x, b)", true),
            ("a notin (b)", false),
            ("c notin (b)", true),
            ("a", true),
            ("!a", false),
            ("!c", true),
            ("n>4", true),
            ("n<4", false),
            ("a=b,!n", false),
            ("a in (b),n", true),
            ("", true),
        ] {
            assert_eq!(LabelSelector::parse(text).unwrap().matches(&one), expected, "{text}");
        }
        for text in ["a=b=c d", "a in b", "=x", "a in (b", "n>x"] {
            assert!(LabelSelector::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn fields_unescape() {
        let selector = FieldSelector::parse("a=b\\,c,d!=e").unwrap();
        assert_eq!(selector.exact("a"), Some("b,c"));
        assert!(selector.matches(|f| Some(if f == "a" { "b,c".into() } else { "x".into() })));
        assert!(selector.matches(|_| None));
        assert!(FieldSelector::parse("a").is_err() && FieldSelector::parse("a=\\x").is_err());
    }

    proptest! {
        #[test]
        fn garbage_does_not_panic(text in ".*") {
            let _ = LabelSelector::parse(&text);
            let _ = FieldSelector::parse(&text);
        }
    }
}
