//! From events to the tree of the first document.

use std::borrow::Cow;
use std::collections::HashMap;

use libyaml_safer::{ErrorKind, Event, EventData, Parser};

/// Collections nested deeper than this are refused (upstream: 10,000; nothing real comes near either).
pub(crate) const MAX_DEPTH: usize = 100;
/// Nodes that a document may have, and its tree with all aliases followed: each is a few bytes of YAML and a hundred in
/// memory.
pub(crate) const MAX_NODES: usize = 1_000_000;

/// Place of a node in its document.
pub(crate) type Id = usize;

/// A node.
pub(crate) struct Node {
    /// Its line, counted from one.
    pub(crate) line: u64,
    pub(crate) kind: Kind,
}

/// What a node is.
pub(crate) enum Kind {
    Scalar {
        value: String,
        /// In its long form; `None` without one.
        tag: Option<String>,
        /// Written plainly: its meaning follows from its text.
        plain: bool,
    },
    Sequence(Vec<Id>),
    /// Keys and values.
    Mapping(Vec<(Id, Id)>),
    /// Another name for a node.
    Alias {
        name: String,
        of: Id,
    },
}

/// A document.
pub(crate) struct Document {
    pub(crate) nodes: Vec<Node>,
    /// `None` in an empty stream.
    pub(crate) root: Option<Id>,
}

impl Document {
    /// Reads the first document of a stream; what follows it is not looked at.
    ///
    /// # Errors
    /// `line 3: did not find expected key`.
    pub(crate) fn read(body: &[u8]) -> Result<Self, String> {
        // The parser has ends in panics that bytes from outside can reach, as an escape that the body ends within.
        let read = std::panic::catch_unwind(|| Self::parse(body));
        read.unwrap_or_else(|_| Err("found unexpected end of stream".to_owned()))
    }

    fn parse(body: &[u8]) -> Result<Self, String> {
        let text = utf8(body)?;
        let mut input: &[u8] = if text.is_empty() { b"\n" } else { &text };
        let mut parser = Parser::new();
        parser.set_input_string(&mut input);
        let mut reader =
            Reader { next: || parser.parse().map_err(|e| told(&e)), nodes: Vec::new(), anchors: HashMap::new() };
        (reader.next)()?;
        let root = match (reader.next)()?.data {
            EventData::DocumentStart { .. } => {
                let first = (reader.next)()?;
                let root = reader.node(first, 0)?;
                (reader.next)()?;
                Some(root)
            }
            _ => None,
        };
        Ok(Self { nodes: reader.nodes, root })
    }
}

/// UTF-16 (which begins with its mark) as UTF-8; the parser's own reader ends in a panic on half a pair.
fn utf8(body: &[u8]) -> Result<Cow<'_, [u8]>, String> {
    let read: fn([u8; 2]) -> u16 = match body {
        [0xfe, 0xff, ..] => u16::from_be_bytes,
        [0xff, 0xfe, ..] => u16::from_le_bytes,
        _ => return Ok(Cow::Borrowed(body)),
    };
    let (pairs, []) = body[2..].as_chunks::<2>() else { return Err("incomplete UTF-16 character".to_owned()) };
    let units: Vec<u16> = pairs.iter().map(|pair| read(*pair)).collect();
    String::from_utf16(&units)
        .map(|text| Cow::Owned(text.into_bytes()))
        .map_err(|_| "incomplete UTF-16 surrogate pair".to_owned())
}

/// An error as upstream tells it: the scanner's lines count from one, the parser's from zero, and line zero is not told.
fn told(error: &libyaml_safer::Error) -> String {
    let line = |mark: Option<libyaml_safer::Mark>| mark.map(|m| m.line).filter(|line| *line != 0);
    let shift = u64::from(error.kind() == ErrorKind::Scanner);
    let line = line(error.problem_mark()).map(|l| l + shift).or_else(|| line(error.context_mark()));
    match line {
        Some(line) => format!("line {line}: {}", error.problem()),
        None => error.problem().to_owned(),
    }
}

struct Reader<N> {
    next: N,
    nodes: Vec<Node>,
    anchors: HashMap<String, Id>,
}

impl<N: FnMut() -> Result<Event, String>> Reader<N> {
    /// Makes room for a node and remembers its anchor: an alias inside it already refers to it.
    fn place(&mut self, line: u64, kind: Kind, anchor: Option<String>) -> Id {
        let id = self.nodes.len();
        self.nodes.push(Node { line: line + 1, kind });
        if let Some(anchor) = anchor {
            self.anchors.insert(anchor, id);
        }
        id
    }

    fn node(&mut self, event: Event, depth: usize) -> Result<Id, String> {
        if depth > MAX_DEPTH {
            return Err(format!("exceeded max depth of {MAX_DEPTH}"));
        }
        if self.nodes.len() >= MAX_NODES {
            return Err(format!("more than {MAX_NODES} nodes"));
        }
        let line = event.start_mark.line;
        match event.data {
            EventData::Scalar { anchor, tag, value, plain_implicit, .. } => {
                Ok(self.place(line, Kind::Scalar { value, tag, plain: plain_implicit }, anchor))
            }
            EventData::Alias { anchor } => match self.anchors.get(&anchor) {
                Some(of) => Ok(self.place(line, Kind::Alias { of: *of, name: anchor }, None)),
                None => Err(format!("unknown anchor '{anchor}' referenced")),
            },
            EventData::SequenceStart { anchor, .. } => {
                let id = self.place(line, Kind::Sequence(Vec::new()), anchor);
                let mut items = Vec::new();
                loop {
                    let event = (self.next)()?;
                    if event.data == EventData::SequenceEnd {
                        break;
                    }
                    items.push(self.node(event, depth + 1)?);
                }
                self.nodes[id].kind = Kind::Sequence(items);
                Ok(id)
            }
            EventData::MappingStart { anchor, .. } => {
                let id = self.place(line, Kind::Mapping(Vec::new()), anchor);
                let mut pairs = Vec::new();
                loop {
                    let event = (self.next)()?;
                    if event.data == EventData::MappingEnd {
                        break;
                    }
                    let key = self.node(event, depth + 1)?;
                    let value = (self.next)()?;
                    pairs.push((key, self.node(value, depth + 1)?));
                }
                self.nodes[id].kind = Kind::Mapping(pairs);
                Ok(id)
            }
            other => Err(format!("unexpected {other:?}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_that_ends_within_an_escape_is_refused() {
        for body in [&b"\"q\\"[..], b"a: \"\\", b"\"\\x", b"\"\\u12"] {
            assert!(Document::read(body).is_err(), "{body:?}");
        }
    }
}
