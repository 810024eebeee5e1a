//! XML, as the query protocols answer it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;

use crate::shape::{Case, Names, Value};

/// How a protocol writes XML.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Style {
    pub(crate) case: Case,
    /// Name of list items: `member` or `item`.
    pub(crate) item: &'static str,
    /// EC2 writes milliseconds.
    pub(crate) milliseconds: bool,
}

impl Style {
    pub(crate) const QUERY: Self = Self { case: Case::Pascal, item: "member", milliseconds: false };
    pub(crate) const EC2: Self = Self { case: Case::Camel, item: "item", milliseconds: true };
}

/// The members of a structure, without an element around them.
pub(crate) fn members(value: &Value, style: Style) -> String {
    let mut out = String::new();
    content(&mut out, value, None, style);
    out
}

/// `<name>text</name>`.
pub(crate) fn leaf(out: &mut String, name: &str, text: &str) {
    open(out, name);
    escape(out, text);
    close(out, name);
}

fn element(out: &mut String, name: &str, names: Option<&Names>, value: &Value, style: Style) {
    match value {
        Value::Absent => {}
        Value::List(items) if names.is_some_and(|names| names.flattened) => {
            for item in items {
                element(out, name, None, item, style);
            }
        }
        value => {
            let before = out.len();
            open(out, name);
            let inside = out.len();
            content(out, value, names, style);
            if out.len() == inside && !matches!(value, Value::Text(_)) {
                out.truncate(before);
                out.push('<');
                out.push_str(name);
                out.push_str("/>");
            } else {
                close(out, name);
            }
        }
    }
}

fn content(out: &mut String, value: &Value, names: Option<&Names>, style: Style) {
    match value {
        Value::Absent => {}
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Int(number) => out.push_str(&number.to_string()),
        Value::Float(number) => out.push_str(&number.to_string()),
        Value::Text(text) => escape(out, text),
        Value::Time(time) => out.push_str(&iso(*time, style.milliseconds)),
        Value::Blob(bytes) => out.push_str(&STANDARD.encode(bytes)),
        Value::List(items) => {
            let name = names.and_then(|names| names.item).unwrap_or(style.item);
            for item in items {
                element(out, name, None, item, style);
            }
        }
        Value::Map(entries) => {
            for (key, value) in entries {
                open(out, "entry");
                leaf(out, "key", key);
                element(out, "value", None, value, style);
                close(out, "entry");
            }
        }
        Value::Struct(members) => {
            for (names, value) in members {
                element(out, names.write(style.case), Some(names), value, style);
            }
        }
    }
}

/// ISO 8601 in UTC, to the second, or always with three digits after it.
pub(crate) fn iso(time: Timestamp, milliseconds: bool) -> String {
    time.strftime(if milliseconds { "%Y-%m-%dT%H:%M:%S.%3fZ" } else { "%Y-%m-%dT%H:%M:%SZ" }).to_string()
}

fn open(out: &mut String, name: &str) {
    out.push('<');
    out.push_str(name);
    out.push('>');
}

fn close(out: &mut String, name: &str) {
    out.push_str("</");
    out.push_str(name);
    out.push('>');
}

/// Escapes markup, and replaces what XML 1.0 cannot carry at all (<https://www.w3.org/TR/xml/#charsets>).
fn escape(out: &mut String, text: &str) {
    for letter in text.chars() {
        match letter {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\r' => out.push_str("&#xD;"),
            '\t' | '\n' => out.push(letter),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::shape::Shape as _;

    #[derive(eksile_shape::Shape)]
    struct Example {
        vpc_id: String,
        #[shape(output = "tagSet")]
        tags: Vec<crate::inputs::Tag>,
        #[shape(flattened, name = "Key")]
        keys: Vec<String>,
        nothing: Option<String>,
        created: Timestamp,
    }

    fn example() -> Value {
        let tag = crate::inputs::Tag { key: "<a>".into(), value: "\u{1}&".into() };
        let (keys, created) = (vec!["1".into(), "2".into()], Timestamp::UNIX_EPOCH);
        Example { vpc_id: "vpc-1".into(), tags: vec![tag], keys, nothing: None, created }.encode()
    }

    #[test]
    fn ec2_style() {
        assert_eq!(
            members(&example(), Style::EC2),
            "<vpcId>vpc-1</vpcId><tagSet><item><key>&lt;a&gt;</key><value>\u{fffd}&amp;</value></item></tagSet>\
             <Key>1</Key><Key>2</Key><created>1970-01-01T00:00:00.000Z</created>"
        );
    }

    #[test]
    fn query_style() {
        let written = members(&example(), Style::QUERY);
        assert!(written.contains("<tagSet><member><Key>"), "{written}");
        assert!(written.ends_with("<Created>1970-01-01T00:00:00Z</Created>"), "{written}");
    }

    proptest! {
        #[test]
        fn any_text_stays_well_formed(text in any::<String>()) {
            let mut out = String::new();
            leaf(&mut out, "a", &text);
            let mut reader = quick_xml::Reader::from_str(&out);
            loop {
                match reader.read_event() {
                    Ok(quick_xml::events::Event::Eof) => break,
                    Ok(_) => {}
                    Err(error) => return Err(TestCaseError::fail(error.to_string())),
                }
            }
        }
    }
}
