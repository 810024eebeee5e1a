//! A value's type as merging sees it: what is one leaf, what is a map of fields, what is a list of owned elements.

use serde_json::{Map, Value};

use crate::schema::{Field, Kind, ListType, Node, Schema, Schemas, Struct};

/// A type in the place where it is used (the field says how its lists and maps merge).
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) schemas: &'a Schemas,
    kind: PlaceKind<'a>,
}

#[derive(Clone, Copy)]
enum PlaceKind<'a> {
    Root(&'a Struct),
    Field(&'a Field),
    /// An element of a list or map: lists in it have one owner.
    Element(&'a Node),
}

/// How a value merges.
#[derive(Clone, Copy)]
pub(super) enum Atom<'a> {
    /// Replaced as a whole.
    Scalar(&'a Node),
    /// Replaced as a whole, though it has an inside.
    Whole(&'a Node),
    Struct(&'a Struct),
    Map(&'a Node),
    /// Elements by value.
    Set(&'a Node),
    /// Elements by these fields of theirs.
    Keyed(&'a Node, &'a [Box<str>]),
}

impl<'a> Place<'a> {
    pub(super) fn root(schema: &'a Schema) -> Self {
        Self { schemas: schema.types(), kind: PlaceKind::Root(schema.root()) }
    }

    pub(super) fn field(self, field: &'a Field) -> Self {
        Self { schemas: self.schemas, kind: PlaceKind::Field(field) }
    }

    pub(super) fn element(self, node: &'a Node) -> Self {
        Self { schemas: self.schemas, kind: PlaceKind::Element(node) }
    }

    pub(super) fn atom(self) -> Atom<'a> {
        let (node, list, atomic) = match self.kind {
            PlaceKind::Root(one) => return Atom::Struct(one),
            PlaceKind::Field(field) => (&field.node, &field.list, field.atomic),
            PlaceKind::Element(node) => (node, &ListType::Atomic, false),
        };
        match &node.kind {
            Kind::Struct(id) => {
                let one = self.schemas.get(*id);
                if one.atomic || atomic { Atom::Whole(node) } else { Atom::Struct(one) }
            }
            Kind::Map(element) if !atomic => Atom::Map(element),
            Kind::Map(_) => Atom::Whole(node),
            Kind::List(element) => match list {
                ListType::Atomic => Atom::Whole(node),
                ListType::Set => Atom::Set(element),
                ListType::Map(keys) => Atom::Keyed(element, keys),
            },
            _ => Atom::Scalar(node),
        }
    }

    /// The path element of a list's element.
    pub(super) fn list_element(self, atom: Atom<'a>, item: &Value) -> Result<String, String> {
        let Atom::Keyed(element, keys) = atom else { return set_element(item) };
        let fields = match item {
            Value::Object(fields) => fields,
            Value::Null => return Err("associative list with keys may not have a null element".to_owned()),
            _ => return Err("associative list with keys may not have non-map elements".to_owned()),
        };
        let mut found = Map::new();
        for key in keys {
            let value = match fields.get(&**key) {
                Some(value) => value.clone(),
                None => self.key_default(element, key).ok_or_else(|| {
                    format!(
                        "associative list with keys has an element that omits key field {key:?} (and doesn't have default value)"
                    )
                })?,
            };
            found.insert(String::from(&**key), value);
        }
        Ok(format!("k:{}", Value::Object(found)))
    }

    /// The default that OpenAPI gives: the table's, or the zero value of scalars that are always written.
    fn key_default(self, element: &Node, key: &str) -> Option<Value> {
        let Kind::Struct(id) = element.kind else { return None };
        let field = self.schemas.get(id).field(key)?;
        if let Some(default) = &field.default {
            return Some(default.clone());
        }
        if field.omit_empty || field.pointer {
            return None;
        }
        match field.node.kind {
            Kind::String => Some(Value::from("")),
            Kind::Int32 | Kind::Int64 => Some(Value::from(0)),
            Kind::Bool => Some(Value::Bool(false)),
            _ => None,
        }
    }
}

fn set_element(item: &Value) -> Result<String, String> {
    match item {
        Value::Object(_) => Err("associative list without keys has an element that's a map type".to_owned()),
        Value::Array(_) => Err("not supported: associative list with lists as elements".to_owned()),
        Value::Null => Err("associative list without keys has an element that's an explicit null".to_owned()),
        scalar => Ok(format!("v:{scalar}")),
    }
}

/// The elements of a list; none for null or absent.
pub(super) fn items(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The fields of a map; none for null or absent.
pub(super) fn fields(value: Option<&Value>) -> Option<&Map<String, Value>> {
    value.and_then(Value::as_object).filter(|f| !f.is_empty())
}
