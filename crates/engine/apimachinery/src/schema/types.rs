//! What is known about a type: its fields, how they are written, merged and defaulted.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

/// All known types. Made from a table by [`Schemas::parse`].
#[derive(Debug)]
pub struct Schemas {
    pub(super) structs: Vec<Struct>,
    pub(super) names: HashMap<Box<str>, StructId>,
    pub(super) kinds: HashMap<(Box<str>, Box<str>), StructId>,
}

/// A struct among [`Schemas`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StructId(pub(super) u32);

/// A type with named fields.
#[derive(Debug)]
pub struct Struct {
    /// Name in OpenAPI, such as `io.k8s.api.core.v1.Pod`.
    pub name: Box<str>,
    /// Fields in upstream's order.
    pub fields: Vec<Field>,
    /// The kinds served as this type: API version and kind.
    pub kinds: Vec<(Box<str>, Box<str>)>,
    /// One owner holds the whole value (`x-kubernetes-map-type: atomic`).
    pub atomic: bool,
    /// Indices into `fields`, sorted by name.
    pub(super) order: Vec<u16>,
    /// Fields that are written even when nothing was given.
    pub(super) always: Vec<u16>,
    /// What is written when nothing was given.
    pub(crate) zero: Value,
    /// Whether a default of the table is set here or below.
    pub(super) defaulted: bool,
}

/// A field of a [`Struct`].
#[derive(Debug)]
pub struct Field {
    /// Name in JSON.
    pub name: Box<str>,
    /// Type of the value.
    pub node: Node,
    /// A given empty value differs from none.
    pub pointer: bool,
    /// Not written when empty.
    pub omit_empty: bool,
    /// Number in protobuf, after those of the messages around it that JSON flattens; empty when it is not encoded.
    pub numbers: Box<[u32]>,
    /// Named in OpenAPI's `required`.
    pub required: bool,
    /// What the server puts in when nothing was given.
    pub default: Option<Value>,
    /// How server-side apply merges a list.
    pub list: ListType,
    /// The list type, where upstream names one.
    pub list_given: Option<ListType>,
    /// One owner holds the whole map or struct.
    pub atomic: bool,
    /// Upstream says in so many words that every entry has an owner.
    pub granular: bool,
    /// How a strategic merge patch merges.
    pub patch: PatchRule,
    /// The values allowed, when upstream says so.
    pub values: Vec<Box<str>>,
}

/// How server-side apply merges a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ListType {
    /// One owner holds the whole list.
    #[default]
    Atomic,
    /// Scalars without repetition, each owned by itself.
    Set,
    /// Structs told apart by these fields.
    Map(Vec<Box<str>>),
}

/// How a strategic merge patch treats a field.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PatchRule {
    /// Lists: merge instead of replace.
    pub merge: bool,
    /// Lists of structs: the field that tells elements apart.
    pub key: Option<Box<str>>,
    /// Structs: the whole value is replaced.
    pub replace: bool,
    /// Fields that `$retainKeys` does not list are removed.
    pub retain_keys: bool,
}

/// The type of a value.
#[derive(Debug)]
pub struct Node {
    /// Shape.
    pub kind: Kind,
    /// The Go type, as messages name it.
    pub go: Box<str>,
}

/// The shape of a value.
#[derive(Debug)]
pub enum Kind {
    /// Text.
    String,
    /// True or false.
    Bool,
    /// Whole number of 32 bits.
    Int32,
    /// Whole number of 64 bits.
    Int64,
    /// Number.
    Float64,
    /// Bytes in base64.
    Bytes,
    /// RFC 3339, whole seconds, UTC.
    Time,
    /// RFC 3339, microseconds, UTC.
    MicroTime,
    /// An amount with a suffix.
    Quantity,
    /// Whole number or text.
    IntOrString,
    /// Any JSON.
    Raw,
    /// Named fields.
    Struct(StructId),
    /// A list.
    List(Box<Node>),
    /// Names to values.
    Map(Box<Node>),
}

impl Struct {
    /// The field of this name, which is case-sensitive.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.index(name).map(|i| &self.fields[i])
    }

    pub(super) fn index(&self, name: &str) -> Option<usize> {
        self.order
            .binary_search_by(|&i| (*self.fields[usize::from(i)].name).cmp(name))
            .ok()
            .map(|at| usize::from(self.order[at]))
    }

    /// The Go name without package, such as `Pod`.
    #[must_use]
    pub fn go_name(&self) -> &str {
        self.name.rsplit('.').next().unwrap_or(&self.name)
    }
}

impl Schemas {
    /// The struct behind an id of this table.
    #[must_use]
    pub fn get(&self, id: StructId) -> &Struct {
        &self.structs[id.0 as usize]
    }

    /// A type by its OpenAPI name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<StructId> {
        self.names.get(name).copied()
    }

    /// A type by API version (`apps/v1`) and kind.
    #[must_use]
    pub fn kind(&self, api_version: &str, kind: &str) -> Option<StructId> {
        self.kinds.get(&(api_version.into(), kind.into())).copied()
    }

    /// All types, in the table's order.
    pub fn structs(&self) -> impl Iterator<Item = &Struct> {
        self.structs.iter()
    }

    /// A handle on one type, by its OpenAPI name.
    #[must_use]
    pub fn schema(self: &Arc<Self>, name: &str) -> Option<Schema> {
        Some(Schema { types: Arc::clone(self), root: self.named(name)? })
    }
}

/// One type with the table it belongs to; cheap to clone.
#[derive(Debug, Clone)]
pub struct Schema {
    pub(crate) types: Arc<Schemas>,
    pub(crate) root: StructId,
}

impl Schema {
    /// The table.
    #[must_use]
    pub fn types(&self) -> &Arc<Schemas> {
        &self.types
    }

    /// The type itself.
    #[must_use]
    pub fn root(&self) -> &Struct {
        self.types.get(self.root)
    }
}

/// What a value of this type is when nothing was given; null means "not written".
pub(super) fn zero(schemas: &Schemas, node: &Node) -> Value {
    match &node.kind {
        Kind::String => Value::String(String::new()),
        Kind::Bool => Value::Bool(false),
        Kind::Int32 | Kind::Int64 | Kind::Float64 | Kind::IntOrString => Value::from(0),
        Kind::Quantity => Value::from("0"),
        Kind::Struct(id) => schemas.get(*id).zero.clone(),
        Kind::Bytes | Kind::Time | Kind::MicroTime | Kind::Raw | Kind::List(_) | Kind::Map(_) => Value::Null,
    }
}

/// Types that Go's encoder writes even when they are empty and marked `omitempty`.
pub(super) fn is_struct_like(kind: &Kind) -> bool {
    matches!(kind, Kind::Struct(_) | Kind::Time | Kind::MicroTime | Kind::Quantity | Kind::IntOrString | Kind::Raw)
}
