//! Label and field selectors: parsing as upstream parses, matching.

mod label;

use std::borrow::Cow;

pub use label::{LabelSelector, Labels};

use crate::status::StatusError;

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
        let mut parts = split_terms(text);
        // In upstream's order, which says the value that counts where a field is named twice.
        parts.sort_unstable();
        for part in parts {
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

    /// The selector of one term.
    #[must_use]
    pub fn equal(field: &str, value: &str) -> Self {
        Self { terms: vec![Term { field: field.to_owned(), equal: true, value: value.to_owned() }] }
    }

    /// The selector of all these terms: field, whether it must be equal, and the value.
    #[must_use]
    pub fn all(terms: Vec<(&str, bool, &str)>) -> Self {
        let own = |(field, equal, value): (&str, bool, &str)| Term {
            field: field.to_owned(),
            equal,
            value: value.to_owned(),
        };
        Self { terms: terms.into_iter().map(own).collect() }
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
