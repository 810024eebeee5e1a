//! JSON as YAML, in the hand of upstream's encoder.

use std::cmp::Ordering;

use libyaml_safer::{Emitter, Encoding, Event, MappingStyle, ScalarStyle, SequenceStyle};
use serde_json::Value;

use crate::scalar::{Scalar, meaning};

/// Writes a value as a YAML document.
///
/// # Errors
/// The emitter's; none is known for values of JSON.
pub fn write(value: &Value) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    let mut emitter = Emitter::new();
    emitter.set_output_string(&mut out);
    emitter.set_unicode(true);
    let mut writer = Writer { emitter };
    writer.document(value).map_err(|e| e.to_string())?;
    drop(writer);
    Ok(out)
}

struct Writer<'w> {
    emitter: Emitter<'w>,
}

impl Writer<'_> {
    fn document(&mut self, value: &Value) -> Result<(), libyaml_safer::Error> {
        self.emitter.emit(Event::stream_start(Encoding::Utf8))?;
        self.emitter.emit(Event::document_start(None, &[], true))?;
        self.value(value)?;
        self.emitter.emit(Event::document_end(true))?;
        self.emitter.emit(Event::stream_end())?;
        self.emitter.flush()
    }

    fn value(&mut self, value: &Value) -> Result<(), libyaml_safer::Error> {
        match value {
            Value::Null => self.plain("null"),
            Value::Bool(value) => self.plain(if *value { "true" } else { "false" }),
            Value::Number(number) => self.plain(&number.to_string()),
            Value::String(text) => self.text(text),
            Value::Array(items) => {
                let style = if items.is_empty() { SequenceStyle::Flow } else { SequenceStyle::Block };
                self.emitter.emit(Event::sequence_start(None, None, true, style))?;
                items.iter().try_for_each(|item| self.value(item))?;
                self.emitter.emit(Event::sequence_end())
            }
            Value::Object(fields) => {
                let style = if fields.is_empty() { MappingStyle::Flow } else { MappingStyle::Block };
                self.emitter.emit(Event::mapping_start(None, None, true, style))?;
                let mut fields: Vec<_> = fields.iter().collect();
                fields.sort_by(|(a, _), (b, _)| natural(a, b));
                for (key, value) in fields {
                    self.text(key)?;
                    self.value(value)?;
                }
                self.emitter.emit(Event::mapping_end())
            }
        }
    }

    fn plain(&mut self, text: &str) -> Result<(), libyaml_safer::Error> {
        self.emitter.emit(Event::scalar(None, None, text, true, true, ScalarStyle::Plain))
    }

    fn text(&mut self, text: &str) -> Result<(), libyaml_safer::Error> {
        let style = if text.contains('\n') {
            ScalarStyle::Literal
        } else if reads_as_text(text) {
            ScalarStyle::Plain
        } else {
            ScalarStyle::DoubleQuoted
        };
        self.emitter.emit(Event::scalar(None, None, text, true, true, style))
    }
}

/// Whether a text comes back as a text when it is written plainly, to old readers too.
fn reads_as_text(text: &str) -> bool {
    matches!(meaning(text), Scalar::Text(_)) && !is_time(text) && !is_base_60(text)
}

/// `1:30`, which older readers take for ninety.
fn is_base_60(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let mut parts = unsigned.split(':');
    let first = parts.next().unwrap_or_default();
    let rest: Vec<&str> = parts.collect();
    let (Some(last), true) = (rest.last(), first.starts_with(|c: char| c.is_ascii_digit())) else { return false };
    let sixty = |part: &str| {
        matches!(part.as_bytes(), [b] if b.is_ascii_digit())
            || matches!(part.as_bytes(), [b'0'..=b'5', b] if b.is_ascii_digit())
    };
    let (whole, fraction) = last.split_once('.').unwrap_or((last, ""));
    first.bytes().all(|b| b.is_ascii_digit() || b == b'_')
        && rest[..rest.len() - 1].iter().all(|part| sixty(part))
        && sixty(whole)
        && fraction.bytes().all(|b| b.is_ascii_digit() || b == b'_')
}

/// `2001-12-14` or `2001-12-14T21:59:43Z` and the like: a date, and perhaps a time of day.
fn is_time(text: &str) -> bool {
    let (date, time) = match text.find(['T', 't', ' ']) {
        Some(at) => (&text[..at], Some((text.as_bytes()[at], &text[at + 1..]))),
        None => (text, None),
    };
    let parts: Vec<&str> = date.split('-').collect();
    let [year, month, day] = parts[..] else { return false };
    let number = |part: &str, most: u32| {
        (1..=2).contains(&part.len())
            && part.bytes().all(|b| b.is_ascii_digit())
            && part.parse().is_ok_and(|n: u32| n <= most)
    };
    let dated = year.len() == 4
        && year.bytes().all(|b| b.is_ascii_digit())
        && number(month, 12)
        && number(day, 31)
        && ![month, day].iter().any(|p| p.parse() == Ok(0u32));
    let Some((separator, time)) = time else { return dated };
    let zone = time.find(['Z', '+', '-']);
    let (clock, zone) = zone.map_or((time, ""), |at| (&time[..at], &time[at..]));
    let (clock, fraction) = clock.split_once('.').map_or((clock, "0"), |(c, f)| (c, f));
    let clock: Vec<&str> = clock.split(':').collect();
    let [hour, minute, second] = clock[..] else { return false };
    let zoned = match zone.as_bytes() {
        [] => separator == b' ',
        b"Z" => separator != b' ',
        [b'+' | b'-', a, b, b':', c, d] => separator != b' ' && [a, b, c, d].iter().all(|x| x.is_ascii_digit()),
        _ => false,
    };
    let fraction = !fraction.is_empty() && fraction.bytes().all(|b| b.is_ascii_digit());
    dated && zoned && fraction && number(hour, 23) && number(minute, 59) && number(second, 59)
}

/// The order of keys: letters after everything else, runs of digits by their number.
fn natural(a: &str, b: &str) -> Ordering {
    let (left, right): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let Some(at) = (0..left.len().min(right.len())).find(|&i| left[i] != right[i]) else {
        return left.len().cmp(&right.len());
    };
    let (one, other) = (left[at], right[at]);
    match (one.is_alphabetic(), other.is_alphabetic()) {
        (true, true) => return one.cmp(&other),
        (true, false) => return Ordering::Greater,
        (false, true) => return Ordering::Less,
        (false, false) => {}
    }
    // Inside a number that began before, all digits count alike.
    let inside =
        (one == '0' || other == '0') && left[..at].iter().rev().take_while(|c| c.is_ascii_digit()).any(|c| *c != '0');
    let run = |text: &[char]| {
        let digits: Vec<u64> = text[at..].iter().map_while(|c| c.to_digit(10)).map(u64::from).collect();
        let start = u64::from(inside);
        (digits.iter().fold(start, |n, d| n.wrapping_mul(10).wrapping_add(*d)), digits.len())
    };
    run(&left).cmp(&run(&right)).then(one.cmp(&other))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn texts_that_would_read_as_something_else_are_quoted() {
        let value = json!({"a": "yes", "b": "10", "c": "1:30", "d": "2001-12-14", "e": "text", "f": "", "g": "<<", "h": "x\ny\n",
            "i": "2026-11-21T10:00:00Z", "j": "# no", "k": "2001-13-14"});
        let text = String::from_utf8(write(&value).expect("yaml")).expect("text");
        let wanted = "a: \"yes\"\nb: \"10\"\nc: \"1:30\"\nd: \"2001-12-14\"\ne: text\nf: \"\"\ng: <<\nh: |\n  x\n  y\n\
                      i: \"2026-11-21T10:00:00Z\"\nj: '# no'\nk: 2001-13-14\n";
        assert_eq!(text, wanted);
        assert_eq!(crate::read(text.as_bytes()).expect("yaml").value, value);
    }

    #[test]
    fn keys_are_in_natural_order_and_empty_collections_flow() {
        let value = json!({"a10": {}, "a9": [], "B": [1, {"x": null}]});
        let text = String::from_utf8(write(&value).expect("yaml")).expect("text");
        assert_eq!(text, "B:\n- 1\n- x: null\na9: []\na10: {}\n");
    }
}
