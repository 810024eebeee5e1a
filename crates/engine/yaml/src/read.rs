//! From a document to JSON.

use std::collections::BTreeMap;

use serde_json::{Map, Number, Value};

use crate::document::{Document, Id, Kind, MAX_DEPTH, MAX_NODES};
use crate::scalar::{Scalar, resolve};

/// JSON, and what a strict reader has against the YAML that it was.
#[derive(Debug, PartialEq)]
pub struct Read {
    /// The value; of keys given twice the last.
    pub value: Value,
    /// Keys that a mapping gives twice, with the lines of the later values: `line 7: key "a" already set in map`.
    pub repeated: Vec<String>,
}

impl Read {
    /// The error of a strict reader, if it has anything to say.
    #[must_use]
    pub fn strict_error(&self) -> Option<String> {
        let told = || format!("yaml: unmarshal errors:\n  {}", self.repeated.join("\n  "));
        (!self.repeated.is_empty()).then(told)
    }
}

/// Repeated keys that are told.
const MOST_REPEATED: usize = 100;

/// Reads the first document of YAML as JSON.
///
/// # Errors
/// Upstream's words: `yaml: line 3: did not find expected key`.
pub fn read(body: &[u8]) -> Result<Read, String> {
    let document = Document::read(body).map_err(|why| fail(&why))?;
    let mut reader =
        Reader { document: &document, within: Vec::new(), repeated: Vec::new(), depth: 0, steps: 0, copied: 0 };
    let value = match document.root {
        None => Tree::Scalar(Scalar::Null),
        Some(root) => reader.tree(root).map_err(|why| fail(&why))?,
    };
    Ok(Read { value: value.json()?, repeated: reader.repeated })
}

fn fail(why: &str) -> String {
    format!("yaml: {why}")
}

/// A value before it is JSON: keys may still be anything.
#[derive(Debug, Clone, PartialEq)]
enum Tree {
    Scalar(Scalar),
    Sequence(Vec<Tree>),
    Mapping(Vec<(Scalar, Tree)>),
}

struct Reader<'d> {
    document: &'d Document,
    /// Aliases that are being followed.
    within: Vec<Id>,
    repeated: Vec<String>,
    /// How deep the tree is here: aliases of aliases may make it deeper than the document.
    depth: usize,
    steps: u64,
    /// Steps inside aliases.
    copied: u64,
}

impl Reader<'_> {
    fn tree(&mut self, id: Id) -> Result<Tree, String> {
        self.depth += 1;
        let tree = if self.depth > 2 * MAX_DEPTH {
            Err(format!("exceeded max depth of {MAX_DEPTH}"))
        } else {
            self.tree_here(id)
        };
        self.depth -= 1;
        tree
    }

    fn tree_here(&mut self, id: Id) -> Result<Tree, String> {
        self.steps += 1;
        if self.steps > MAX_NODES as u64 {
            return Err(format!("more than {MAX_NODES} nodes"));
        }
        self.copied += u64::from(!self.within.is_empty());
        if self.copied > 100 && self.steps > 1000 && self.copied as f64 / self.steps as f64 > allowed_copies(self.steps)
        {
            return Err("document contains excessive aliasing".to_owned());
        }
        let document = self.document;
        match &document.nodes[id].kind {
            Kind::Scalar { value, tag, plain } => resolve(tag.as_deref(), *plain, value).map(Tree::Scalar),
            Kind::Sequence(items) => {
                items.iter().map(|item| self.tree(*item)).collect::<Result<_, _>>().map(Tree::Sequence)
            }
            Kind::Mapping(_) => {
                let mut out = Entries::default();
                self.mapping(id, &mut out)?;
                Ok(Tree::Mapping(out.entries))
            }
            Kind::Alias { name, of } => {
                if self.within.contains(&id) {
                    return Err(format!("anchor '{name}' value contains itself"));
                }
                self.within.push(id);
                let tree = self.tree(*of);
                self.within.pop();
                tree
            }
        }
    }

    fn mapping(&mut self, id: Id, out: &mut Entries) -> Result<(), String> {
        let document = self.document;
        let Kind::Mapping(pairs) = &document.nodes[id].kind else { return Ok(()) };
        for (key, value) in pairs {
            if self.is_merge(*key) {
                self.merge(*value, out)?;
                continue;
            }
            let name = match self.tree(*key)? {
                Tree::Scalar(name) => name,
                other => return Err(format!("invalid map key: {}", other.go())),
            };
            let tree = self.tree(*value)?;
            if out.put(name.clone(), tree) && self.repeated.len() < MOST_REPEATED {
                let shown = Tree::Scalar(name).go();
                self.repeated.push(format!("line {}: key {shown} already set in map", document.nodes[*value].line));
            }
        }
        Ok(())
    }

    fn is_merge(&self, key: Id) -> bool {
        matches!(&self.document.nodes[key].kind, Kind::Scalar { value, tag, plain }
            if value == "<<" && (*plain || tag.as_deref() == Some("tag:yaml.org,2002:merge")))
    }

    /// Takes the entries of other mappings over; of several the first has the last word.
    fn merge(&mut self, from: Id, out: &mut Entries) -> Result<(), String> {
        let document = self.document;
        match &document.nodes[from].kind {
            Kind::Sequence(items) => items.iter().rev().try_for_each(|item| self.merge_one(*item, out)),
            _ => self.merge_one(from, out),
        }
    }

    fn merge_one(&mut self, from: Id, out: &mut Entries) -> Result<(), String> {
        let document = self.document;
        let target = match &document.nodes[from].kind {
            Kind::Alias { name, of } => {
                if self.within.contains(&from) {
                    return Err(format!("anchor '{name}' value contains itself"));
                }
                *of
            }
            _ => from,
        };
        if !matches!(document.nodes[target].kind, Kind::Mapping(_)) {
            return Err("map merge requires map or sequence of maps as the value".to_owned());
        }
        self.steps += 1;
        self.within.push(from);
        let done = self.mapping(target, out);
        self.within.pop();
        done
    }
}

/// The share of steps that may be taken inside aliases (goyaml.v2's figures: 99 % of a small document, 10 % of a
/// large one), so that a few lines cannot grow into gigabytes.
fn allowed_copies(steps: u64) -> f64 {
    const LOW: f64 = 400_000.0;
    const HIGH: f64 = 4_000_000.0;
    0.99 - 0.89 * ((steps as f64).clamp(LOW, HIGH) - LOW) / (HIGH - LOW)
}

/// The entries of a mapping, found again by key.
#[derive(Default)]
struct Entries {
    entries: Vec<(Scalar, Tree)>,
    places: BTreeMap<String, usize>,
}

impl Entries {
    /// Puts an entry; true when the key was there.
    fn put(&mut self, key: Scalar, value: Tree) -> bool {
        // `1` and `"1"` are different keys; a NaN differs even from itself.
        let place = if matches!(key, Scalar::Float(f) if f.is_nan()) {
            format!("NaN {}", self.entries.len())
        } else {
            format!("{key:?}")
        };
        match self.places.get(&place) {
            Some(at) => {
                self.entries[*at].1 = value;
                true
            }
            None => {
                self.places.insert(place, self.entries.len());
                self.entries.push((key, value));
                false
            }
        }
    }
}

impl Tree {
    fn json(self) -> Result<Value, String> {
        Ok(match self {
            Self::Scalar(Scalar::Null) => Value::Null,
            Self::Scalar(Scalar::Bool(value)) => Value::Bool(value),
            Self::Scalar(Scalar::Int(value)) => value.into(),
            Self::Scalar(Scalar::Big(value)) => value.into(),
            Self::Scalar(Scalar::Float(value)) => float(value)?,
            Self::Scalar(Scalar::Text(text)) => text.into(),
            Self::Sequence(items) => items.into_iter().map(Self::json).collect::<Result<_, _>>()?,
            Self::Mapping(entries) => {
                let mut fields = Map::new();
                for (key, value) in entries {
                    let name = match key {
                        Scalar::Text(name) => name,
                        Scalar::Int(number) => number.to_string(),
                        Scalar::Bool(value) => value.to_string(),
                        Scalar::Float(number) => short(number),
                        other => return Err(unsupported_key(&other, &value)),
                    };
                    fields.insert(name, value.json()?);
                }
                Value::Object(fields)
            }
        })
    }

    /// As Go's `%#v` prints it.
    fn go(&self) -> String {
        match self {
            Self::Scalar(Scalar::Null) => "interface {}(nil)".to_owned(),
            Self::Scalar(Scalar::Bool(value)) => value.to_string(),
            Self::Scalar(Scalar::Int(value)) => value.to_string(),
            Self::Scalar(Scalar::Big(value)) => format!("{value:#x}"),
            Self::Scalar(Scalar::Float(value)) => short(*value),
            Self::Scalar(Scalar::Text(text)) => format!("{text:?}"),
            Self::Sequence(items) => {
                let items: Vec<String> = items.iter().map(Self::go).collect();
                format!("[]interface {{}}{{{}}}", items.join(", "))
            }
            Self::Mapping(entries) => {
                let mut entries: Vec<String> = entries
                    .iter()
                    .map(|(key, value)| format!("{}:{}", Self::Scalar(key.clone()).go(), value.go()))
                    .collect();
                entries.sort();
                format!("map[interface {{}}]interface {{}}{{{}}}", entries.join(", "))
            }
        }
    }
}

fn unsupported_key(key: &Scalar, value: &Tree) -> String {
    let (kind, shown) = match key {
        Scalar::Big(number) => ("uint64", format!("{number:#x}")),
        _ => ("%!s(<nil>)", "<nil>".to_owned()),
    };
    let value = match value {
        Tree::Scalar(Scalar::Null) => "<nil>".to_owned(),
        other => other.go(),
    };
    format!("unsupported map key of type: {kind}, key: {shown}, value: {value}")
}

/// A number as Go writes it into JSON: without a point when it is whole.
fn float(value: f64) -> Result<Value, String> {
    const EXACT: f64 = 9.0e18;
    if value.fract() == 0.0 && value.abs() < EXACT {
        return Ok(Value::from(value as i64));
    }
    Number::from_f64(value).map(Value::Number).ok_or_else(|| {
        let shown = match value {
            f if f.is_nan() => "NaN",
            f if f > 0.0 => "+Inf",
            _ => "-Inf",
        };
        format!("json: unsupported value: {shown}")
    })
}

/// A number in as few digits as tell it apart, at single precision: upstream writes keys so.
fn short(value: f64) -> String {
    match value {
        f if f.is_nan() => ".nan".to_owned(),
        f if f == f64::INFINITY => ".inf".to_owned(),
        f if f == f64::NEG_INFINITY => "-.inf".to_owned(),
        f => (f as f32).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn value(text: &str) -> Value {
        read(text.as_bytes()).expect("yaml").value
    }

    fn error(text: &str) -> String {
        read(text.as_bytes()).expect_err("an error")
    }

    #[test]
    fn only_the_first_document_counts() {
        assert_eq!(value("a: 1\n---\nb: [\n"), json!({"a": 1}));
        assert_eq!(value(""), Value::Null);
        assert_eq!(value("# nothing\n"), Value::Null);
    }

    #[test]
    fn keys_become_text() {
        assert_eq!(value("1: a\nyes: b\n1.5: c\n"), json!({"1": "a", "true": "b", "1.5": "c"}));
        assert_eq!(error("? [a]\n: b\n"), "yaml: invalid map key: []interface {}{\"a\"}");
        assert_eq!(error("~: b\n"), "unsupported map key of type: %!s(<nil>), key: <nil>, value: \"b\"");
    }

    #[test]
    fn a_repeated_key_is_told_with_the_line_of_its_value() {
        let found = read(b"a: 1\nb:\n  c: 1\n  c:\n    d: 2\na: 3\n").expect("yaml");
        assert_eq!(found.value, json!({"a": 3, "b": {"c": {"d": 2}}}));
        let told =
            "yaml: unmarshal errors:\n  line 5: key \"c\" already set in map\n  line 6: key \"a\" already set in map";
        assert_eq!(found.strict_error().as_deref(), Some(told));
    }

    #[test]
    fn aliases_and_merges() {
        assert_eq!(value("a: &x {b: 1}\nc: *x\n"), json!({"a": {"b": 1}, "c": {"b": 1}}));
        assert_eq!(value("a: &x {b: 1, c: 2}\nd:\n  <<: *x\n  e: 3\n")["d"], json!({"b": 1, "c": 2, "e": 3}));
        assert_eq!(error("a: *b\n"), "yaml: unknown anchor 'b' referenced");
        assert_eq!(error("a: &x [*x]\n"), "yaml: anchor 'x' value contains itself");
        assert_eq!(error("a: &x {<<: *x}\n"), "yaml: anchor 'x' value contains itself");
        assert_eq!(error("<<: 1\n"), "yaml: map merge requires map or sequence of maps as the value");
    }

    #[test]
    fn a_bomb_is_refused() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let list = vec![format!("*a{}", level - 1); 10].join(", ");
            text.push_str(&format!("a{level}: &a{level} [{list}]\n"));
        }
        assert_eq!(error(&text), "yaml: document contains excessive aliasing");
        assert!(error(&"[".repeat(100_000)).starts_with("yaml: exceeded max depth"));
    }

    #[test]
    fn aliases_of_aliases_are_not_followed_deeper_than_a_document_may_be() {
        // Plain elements keep the share of aliases low.
        let mut text = format!("pad: [{}x]\na0: &a0 [x]\n", "x, ".repeat(300_000));
        for level in 1..700 {
            text.push_str(&format!("a{level}: &a{level} [*a{}]\n", level - 1));
        }
        assert_eq!(error(&text), "yaml: exceeded max depth of 100");
        assert!(error(&format!("[{}x]", "x, ".repeat(1_100_000))).ends_with("more than 1000000 nodes"));
        let repeated = read("a: 1\n".repeat(5000).as_bytes()).expect("yaml");
        assert_eq!(repeated.repeated.len(), MOST_REPEATED);
    }

    #[test]
    fn utf_16_is_read_and_half_of_it_refused() {
        let wide = |order: fn(u16) -> [u8; 2]| -> Vec<u8> {
            "\u{feff}a: \u{1f980}\n".encode_utf16().flat_map(order).collect()
        };
        for bytes in [wide(u16::to_be_bytes), wide(u16::to_le_bytes)] {
            assert_eq!(read(&bytes).expect("yaml").value, json!({"a": "\u{1f980}"}));
        }
        assert_eq!(read(&[0xfe, 0xff, 0xd9, 0x8f]).expect_err("half"), "yaml: incomplete UTF-16 surrogate pair");
        assert_eq!(read(&[0xff, 0xfe, 0x41]).expect_err("half"), "yaml: incomplete UTF-16 character");
    }

    #[test]
    fn numbers_are_written_as_go_writes_them() {
        assert_eq!(value("[1.0, 1.5, 1e3]"), json!([1, 1.5, 1000]));
        assert_eq!(error("-.inf"), "json: unsupported value: -Inf");
    }
}
