//! Sets of field paths, kept in the form in which `FieldsV1` carries them.
//!
//! A set maps path elements (`f:name`, `k:{"name":"a"}`, `v:"x"`, `i:0`) to what is below them: `{}` is a member with
//! nothing below, `.` marks a member that has members below. Semantics: `structured-merge-diff`'s `fieldpath`.

use serde_json::{Map, Value};

use crate::schema::{Kind, Node, Schemas, Struct};

type Fields = Map<String, Value>;

const SELF: &str = ".";

/// A set of paths.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Set(Fields);

fn none() -> &'static Fields {
    static NONE: std::sync::OnceLock<Fields> = std::sync::OnceLock::new();
    NONE.get_or_init(Map::new)
}

fn below(node: &Value) -> &Fields {
    node.as_object().unwrap_or_else(|| none())
}

/// Whether the path that ends at this node is in the set.
fn is_member(node: &Value) -> bool {
    let fields = below(node);
    fields.is_empty() || fields.contains_key(SELF)
}

fn has_children(node: &Value) -> bool {
    below(node).keys().any(|k| k != SELF)
}

/// A node in normal form; `None` when it would hold nothing.
fn node(member: bool, mut children: Fields) -> Option<Value> {
    children.remove(SELF);
    match (member, children.is_empty()) {
        (false, true) => None,
        (true, false) => {
            children.insert(SELF.to_owned(), Value::Object(Map::new()));
            Some(Value::Object(children))
        }
        _ => Some(Value::Object(children)),
    }
}

impl Set {
    /// Reads `FieldsV1`.
    pub(super) fn decode(value: &Value) -> Result<Self, String> {
        let fields = value.as_object().ok_or("fields are not an object")?;
        if fields.contains_key(SELF) {
            return Err(format!("bad path element {SELF:?}"));
        }
        Self::decode_fields(fields)
    }

    fn decode_fields(fields: &Fields) -> Result<Self, String> {
        let mut out = Map::new();
        for (key, inner) in fields.iter().filter(|(key, _)| *key != SELF) {
            let (true, Value::Object(children)) = (is_element(key), inner) else {
                return Err(format!("bad path element {key:?}"));
            };
            let member = children.is_empty() || children.contains_key(SELF);
            let below = Self::decode_fields(children)?;
            out.extend(node(member, below.0).map(|n| (canonical(key), n)));
        }
        Ok(Self(out))
    }

    /// As `FieldsV1` carries it.
    pub(super) fn encode(self) -> Value {
        Value::Object(self.0)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds an element, itself a member or not, with what is below it.
    pub(super) fn put(&mut self, element: &str, member: bool, children: Self) {
        if let Some(new) = node(member, children.0) {
            match self.0.get_mut(element) {
                Some(old) => unite(old, &new),
                None => {
                    self.0.insert(element.to_owned(), new);
                }
            }
        }
    }

    pub(super) fn union(&mut self, other: &Self) {
        unite_fields(&mut self.0, &other.0);
    }

    /// Removes the members that `other` has. What is below them stays.
    pub(super) fn subtract(&mut self, other: &Self) {
        subtract_fields(&mut self.0, &other.0, false);
    }

    /// Removes the members that `other` has, and everything below them.
    pub(super) fn subtract_trees(&mut self, other: &Self) {
        subtract_fields(&mut self.0, &other.0, true);
    }

    pub(super) fn intersection(&self, other: &Self) -> Self {
        Self(intersect_fields(&self.0, &other.0))
    }

    /// Whether an element of the first level is a member.
    pub(super) fn has(&self, element: &str) -> bool {
        self.0.get(element).is_some_and(is_member)
    }

    /// What is below an element; `None` when that is nothing.
    pub(super) fn below(&self, element: &str) -> Option<Self> {
        let mut children = below(self.0.get(element)?).clone();
        children.remove(SELF);
        if children.is_empty() { None } else { Some(Self(children)) }
    }

    /// All members as text, `.spec.containers[name="a"].image`: of each level first the members, then what is below.
    pub(super) fn paths(&self) -> Vec<String> {
        let mut out = Vec::new();
        list_paths(&self.0, "", &mut out);
        out
    }

    /// The set with the named fields of structs on the way to a member as members too.
    pub(super) fn with_named_fields(&self, schemas: &Schemas, root: &Struct) -> Self {
        Self(name_fields(schemas, &self.0, &|field| root.field(field).map(|f| &f.node), true))
    }
}

fn is_element(key: &str) -> bool {
    ["f:", "k:", "v:", "i:"].iter().any(|p| key.starts_with(p))
}

/// Keys and values as this crate writes them.
fn canonical(key: &str) -> String {
    if let Some(text) = key.strip_prefix("k:").or_else(|| key.strip_prefix("v:"))
        && let Ok(value) = serde_json::from_str::<Value>(text)
    {
        return format!("{}{value}", &key[..2]);
    }
    key.to_owned()
}

fn unite(a: &mut Value, b: &Value) {
    let member = is_member(a) || is_member(b);
    let Value::Object(children) = a else { return };
    unite_fields(children, below(b));
    if member && !children.is_empty() {
        children.insert(SELF.to_owned(), Value::Object(Map::new()));
    }
}

fn unite_fields(a: &mut Fields, b: &Fields) {
    for (key, new) in b.iter().filter(|(k, _)| *k != SELF) {
        match a.get_mut(key) {
            Some(old) => unite(old, new),
            None => {
                a.insert(key.clone(), new.clone());
            }
        }
    }
}

fn subtract_fields(a: &mut Fields, b: &Fields, trees: bool) {
    a.retain(|key, mine| {
        let (Some(other), true) = (b.get(key), key != SELF) else { return true };
        let gone = is_member(other);
        if gone && trees {
            return false;
        }
        let member = is_member(mine) && !gone;
        let mut children = mine.as_object_mut().map(std::mem::take).unwrap_or_default();
        subtract_fields(&mut children, below(other), trees);
        node(member, children).map(|left| *mine = left).is_some()
    });
}

fn intersect_fields(a: &Fields, b: &Fields) -> Fields {
    let mut out = Map::new();
    for (key, mine) in a.iter().filter(|(k, _)| *k != SELF) {
        let Some(other) = b.get(key) else { continue };
        let member = is_member(mine) && is_member(other);
        out.extend(node(member, intersect_fields(below(mine), below(other))).map(|n| (key.clone(), n)));
    }
    out
}

fn list_paths(fields: &Fields, prefix: &str, out: &mut Vec<String>) {
    for (key, _) in fields.iter().filter(|(k, v)| *k != SELF && is_member(v)) {
        out.push(format!("{prefix}{}", show(key)));
    }
    for (key, inner) in fields.iter().filter(|(k, v)| *k != SELF && has_children(v)) {
        list_paths(below(inner), &format!("{prefix}{}", show(key)), out);
    }
}

/// An element as messages show it.
pub(super) fn show(element: &str) -> String {
    let (kind, text) = element.split_at_checked(2).unwrap_or((element, ""));
    match kind {
        "f:" => format!(".{text}"),
        "k:" => {
            let keys: Fields = serde_json::from_str(text).unwrap_or_default();
            let pairs: Vec<String> = keys.iter().map(|(k, v)| format!("{k}={v}")).collect();
            format!("[{}]", pairs.join(","))
        }
        "v:" => format!("[={text}]"),
        _ => format!("[{text}]"),
    }
}

type FieldOf<'a, 'n> = &'a dyn Fn(&str) -> Option<&'n Node>;

fn name_fields<'n>(schemas: &'n Schemas, fields: &Fields, field: FieldOf<'_, 'n>, named: bool) -> Fields {
    let mut out = Map::new();
    for (key, inner) in fields.iter().filter(|(k, _)| *k != SELF) {
        let name = key.strip_prefix("f:");
        let next = name.map_or_else(|| field(""), field);
        let children = match next.map(|n| &n.kind) {
            Some(Kind::Struct(id)) => {
                let one = schemas.get(*id);
                name_fields(schemas, below(inner), &|f| one.field(f).map(|f| &f.node), true)
            }
            Some(Kind::List(element) | Kind::Map(element)) => {
                name_fields(schemas, below(inner), &|_| Some(element), false)
            }
            _ => name_fields(schemas, below(inner), &|_| None, false),
        };
        let declared = named && name.is_some() && next.is_some();
        let member = is_member(inner) || (declared && has_children(inner));
        out.extend(node(member, children).map(|n| (key.clone(), n)));
    }
    out
}
