//! An OpenAPI v2 document in protobuf, the only form in which client-go asks for it: messages and field numbers are
//! those of gnostic's `OpenAPIv2.proto` (<https://github.com/google/gnostic-models>), as far as such a document uses them.

use serde_json::{Map, Value};

/// How a field of JSON is written.
#[derive(Clone, Copy)]
enum Form {
    Text,
    Texts,
    Flag,
    Message(&'static Message),
    /// A message that holds entries: a name and a message each.
    Entries {
        field: u32,
        of: &'static Message,
    },
    /// A message around another.
    Within {
        field: u32,
        of: &'static Message,
    },
    /// A message that holds texts.
    TextsWithin,
    /// Any values, as YAML; JSON is YAML.
    Anys,
    /// `true` or a message.
    FlagOr(&'static Message),
    Parameters,
}

/// Names of JSON, field numbers, forms; the number of the extensions (`x-…`), 0 for none.
struct Message {
    fields: &'static [(&'static str, u32, Form)],
    extensions: u32,
}

const NAME: u32 = 1;
const VALUE: u32 = 2;

static DOCUMENT: Message = Message {
    fields: &[
        ("swagger", 1, Form::Text),
        ("info", 2, Form::Message(&INFO)),
        ("paths", 8, Form::Entries { field: 2, of: &PATH }),
        ("definitions", 9, Form::Entries { field: 1, of: &SCHEMA }),
    ],
    extensions: 0,
};
static INFO: Message = Message { fields: &[("title", 1, Form::Text), ("version", 2, Form::Text)], extensions: 0 };
static SCHEMA: Message = Message {
    fields: &[
        ("$ref", 1, Form::Text),
        ("format", 2, Form::Text),
        ("description", 4, Form::Text),
        ("required", 19, Form::Texts),
        ("enum", 20, Form::Anys),
        ("additionalProperties", 21, Form::FlagOr(&SCHEMA)),
        ("type", 22, Form::TextsWithin),
        ("items", 23, Form::Within { field: 1, of: &SCHEMA }),
        ("properties", 25, Form::Entries { field: 1, of: &SCHEMA }),
    ],
    extensions: 31,
};
static PATH: Message = Message {
    fields: &[
        ("get", 2, Form::Message(&OPERATION)),
        ("put", 3, Form::Message(&OPERATION)),
        ("post", 4, Form::Message(&OPERATION)),
        ("delete", 5, Form::Message(&OPERATION)),
        ("options", 6, Form::Message(&OPERATION)),
        ("head", 7, Form::Message(&OPERATION)),
        ("patch", 8, Form::Message(&OPERATION)),
        ("parameters", 9, Form::Parameters),
    ],
    extensions: 0,
};
static OPERATION: Message = Message {
    fields: &[
        ("tags", 1, Form::Texts),
        ("operationId", 5, Form::Text),
        ("produces", 6, Form::Texts),
        ("consumes", 7, Form::Texts),
        ("parameters", 8, Form::Parameters),
        ("responses", 9, Form::Entries { field: 1, of: &RESPONSE_VALUE }),
        ("schemes", 10, Form::Texts),
    ],
    extensions: 13,
};
/// Written around [`RESPONSE`]: an answer stands here itself, not a reference to one.
static RESPONSE_VALUE: Message = Message { fields: &[("", 1, Form::Message(&RESPONSE))], extensions: 0 };
static RESPONSE: Message = Message {
    fields: &[("description", 1, Form::Text), ("schema", 2, Form::Within { field: 1, of: &SCHEMA })],
    extensions: 0,
};
static BODY: Message = Message {
    fields: &[
        ("description", 1, Form::Text),
        ("name", 2, Form::Text),
        ("in", 3, Form::Text),
        ("required", 4, Form::Flag),
        ("schema", 5, Form::Message(&SCHEMA)),
    ],
    extensions: 0,
};
static IN_QUERY: Message = Message {
    fields: &[
        ("required", 1, Form::Flag),
        ("in", 2, Form::Text),
        ("description", 3, Form::Text),
        ("name", 4, Form::Text),
        ("type", 6, Form::Text),
        ("uniqueItems", 20, Form::Flag),
    ],
    extensions: 0,
};
static IN_PATH: Message = Message {
    fields: &[
        ("required", 1, Form::Flag),
        ("in", 2, Form::Text),
        ("description", 3, Form::Text),
        ("name", 4, Form::Text),
        ("type", 5, Form::Text),
        ("uniqueItems", 19, Form::Flag),
    ],
    extensions: 0,
};

/// Writes a document.
pub(super) fn encode(document: &Value) -> Vec<u8> {
    message(&DOCUMENT, document)
}

fn message(of: &Message, value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, number, form) in of.fields {
        // A field without a name is the value itself, one message further in.
        let field = if name.is_empty() { Some(value) } else { value.get(name) };
        if let Some(field) = field {
            self::field(&mut out, *number, *form, field);
        }
    }
    if of.extensions > 0 {
        for (name, value) in members(value).filter(|(name, _)| name.starts_with("x-")) {
            let mut entry = Vec::new();
            bytes(&mut entry, NAME, name.as_bytes());
            bytes(&mut entry, VALUE, &any(value));
            bytes(&mut out, of.extensions, &entry);
        }
    }
    out
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn field(out: &mut Vec<u8>, number: u32, form: Form, value: &Value) {
    match form {
        Form::Text => text(out, number, value),
        Form::Texts => list(value).iter().for_each(|one| text(out, number, one)),
        Form::Flag => flag(out, number, value == &Value::Bool(true)),
        Form::Message(of) => bytes(out, number, &message(of, value)),
        Form::Entries { field, of } => {
            let mut all = Vec::new();
            for (name, value) in members(value) {
                let mut entry = Vec::new();
                bytes(&mut entry, NAME, name.as_bytes());
                bytes(&mut entry, VALUE, &message(of, value));
                bytes(&mut all, field, &entry);
            }
            bytes(out, number, &all);
        }
        Form::Within { field, of } => {
            let mut inner = Vec::new();
            bytes(&mut inner, field, &message(of, value));
            bytes(out, number, &inner);
        }
        Form::TextsWithin => {
            let mut inner = Vec::new();
            text(&mut inner, 1, value);
            bytes(out, number, &inner);
        }
        Form::Anys => list(value).iter().for_each(|one| bytes(out, number, &any(one))),
        Form::FlagOr(of) => {
            let mut inner = Vec::new();
            match value {
                Value::Bool(on) => flag(&mut inner, 2, *on),
                other => bytes(&mut inner, 1, &message(of, other)),
            }
            bytes(out, number, &inner);
        }
        Form::Parameters => list(value).iter().for_each(|one| bytes(out, number, &parameter(one))),
    }
}

/// `ParametersItem` around `Parameter`, around what it is: three choices within each other.
fn parameter(value: &Value) -> Vec<u8> {
    let (mut kind, mut inner, mut item) = (Vec::new(), Vec::new(), Vec::new());
    match value.get("in").and_then(Value::as_str) {
        Some("body") => bytes(&mut inner, 1, &message(&BODY, value)),
        place => {
            let (number, of) = if place == Some("path") { (4, &IN_PATH) } else { (3, &IN_QUERY) };
            bytes(&mut kind, number, &message(of, value));
            bytes(&mut inner, 2, &kind);
        }
    }
    bytes(&mut item, 1, &inner);
    item
}

/// `Any`: the value as YAML.
fn any(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    bytes(&mut out, 2, value.to_string().as_bytes());
    out
}

fn text(out: &mut Vec<u8>, number: u32, value: &Value) {
    if let Some(text) = value.as_str() {
        bytes(out, number, text.as_bytes());
    }
}

fn flag(out: &mut Vec<u8>, number: u32, on: bool) {
    if on {
        varint(out, u64::from(number) << 3);
        out.push(1);
    }
}

fn bytes(out: &mut Vec<u8>, number: u32, value: &[u8]) {
    varint(out, u64::from(number) << 3 | 2);
    varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value > 0x7f {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}
