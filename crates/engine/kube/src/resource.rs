//! A kind as a row, and the run-time form that the door works with.

use std::sync::Arc;

use crate::strategy::{PLAIN, Strategy};

/// A verb as authorization and discovery name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verb {
    /// Make one.
    Create,
    /// Remove one.
    Delete,
    /// Remove all that match.
    DeleteCollection,
    /// Read one.
    Get,
    /// Read all that match.
    List,
    /// Change parts of one (also: apply).
    Patch,
    /// Replace one.
    Update,
    /// Follow changes.
    Watch,
}

impl Verb {
    /// Its name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Delete => "delete",
            Self::DeleteCollection => "deletecollection",
            Self::Get => "get",
            Self::List => "list",
            Self::Patch => "patch",
            Self::Update => "update",
            Self::Watch => "watch",
        }
    }
}

/// All eight, in the order in which discovery lists them.
pub const ALL_VERBS: &[Verb] = &[
    Verb::Create,
    Verb::Delete,
    Verb::DeleteCollection,
    Verb::Get,
    Verb::List,
    Verb::Patch,
    Verb::Update,
    Verb::Watch,
];

/// Verbs of a subresource that shows a part of the object (`status`).
pub const PART_VERBS: &[Verb] = &[Verb::Get, Verb::Patch, Verb::Update];

/// How a subresource is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubKind {
    /// A view of the parent: get, update and patch take and return the parent's kind; the strategy decides which
    /// fields a write may change (`status`, `approval`, `finalize`, `ephemeralcontainers`, `resize`).
    Part,
    /// A write-only action with its own kind (`binding`, `eviction`, `token`): the door has a handler by
    /// `plural/name`; without one it answers 501.
    Action,
    /// A stream or proxied request to the node (`log`, `exec`, `attach`, `portforward`, `proxy`).
    Connect,
}

/// A subresource of a row.
#[derive(Debug, Clone, Copy)]
pub struct Sub {
    /// Path segment, such as `status`.
    pub name: &'static str,
    /// Group and version of [`Sub::kind`] as discovery shows them; empty when they are the parent's.
    pub group_version: (&'static str, &'static str),
    /// Kind in discovery; empty for the parent's.
    pub kind: &'static str,
    /// Verbs in discovery order.
    pub verbs: &'static [Verb],
    /// How it is served.
    pub served: SubKind,
}

impl Sub {
    /// `status`.
    pub const STATUS: Self = Self::part("status", PART_VERBS);

    /// A view of the parent.
    #[must_use]
    pub const fn part(name: &'static str, verbs: &'static [Verb]) -> Self {
        Self { name, group_version: ("", ""), kind: "", verbs, served: SubKind::Part }
    }

    /// An action that takes another kind; `group_version` is empty for the parent's.
    #[must_use]
    pub const fn action(name: &'static str, group_version: (&'static str, &'static str), kind: &'static str) -> Self {
        Self { name, group_version, kind, verbs: &[Verb::Create], served: SubKind::Action }
    }

    /// A stream.
    #[must_use]
    pub const fn connect(name: &'static str, kind: &'static str, verbs: &'static [Verb]) -> Self {
        Self { name, group_version: ("", ""), kind, verbs, served: SubKind::Connect }
    }
}

/// A built-in kind. Made with [`Row::namespaced`] or [`Row::cluster`] and the builder methods, all `const`.
#[derive(Clone, Copy)]
pub struct Row {
    /// API group; empty for the core group.
    pub group: &'static str,
    /// Version, such as `v1`.
    pub version: &'static str,
    /// Kind, such as `ConfigMap`.
    pub kind: &'static str,
    /// Plural, lower-case, as in paths.
    pub plural: &'static str,
    /// Singular in discovery; empty for the lower-cased kind.
    pub singular: &'static str,
    /// Whether objects live in namespaces.
    pub namespaced: bool,
    /// Short names in discovery.
    pub short: &'static [&'static str],
    /// Categories in discovery (`all`).
    pub categories: &'static [&'static str],
    /// Subresources, in alphabetical order.
    pub subs: &'static [Sub],
    /// Verbs in discovery order.
    pub verbs: &'static [Verb],
    /// Name of the type in the schema table; empty for `io.k8s.api.GROUP.VERSION.KIND`, GROUP being the group's
    /// first label (`core` for the core group).
    pub schema: &'static str,
    /// Group and plural under which objects are stored, when another group version of the same kind owns them
    /// (`events.k8s.io` events live with the core group's).
    pub stored_as: Option<(&'static str, &'static str)>,
    /// False for reviews: a create is answered by the door's handler of that kind and nothing is stored.
    pub stored: bool,
    /// The kind's opinions.
    pub strategy: &'static dyn Strategy,
}

impl Row {
    /// A namespaced kind with all verbs and no opinions.
    #[must_use]
    pub const fn namespaced(
        group: &'static str,
        version: &'static str,
        kind: &'static str,
        plural: &'static str,
    ) -> Self {
        Self {
            group,
            version,
            kind,
            plural,
            singular: "",
            namespaced: true,
            short: &[],
            categories: &[],
            subs: &[],
            verbs: ALL_VERBS,
            schema: "",
            stored_as: None,
            stored: true,
            strategy: &PLAIN,
        }
    }

    /// A kind without namespaces, with all verbs and no opinions.
    #[must_use]
    pub const fn cluster(group: &'static str, version: &'static str, kind: &'static str, plural: &'static str) -> Self {
        let mut row = Self::namespaced(group, version, kind, plural);
        row.namespaced = false;
        row
    }

    /// A review: create only, nothing stored.
    #[must_use]
    pub const fn review(group: &'static str, version: &'static str, kind: &'static str, plural: &'static str) -> Self {
        let mut row = Self::cluster(group, version, kind, plural);
        row.verbs = &[Verb::Create];
        row.stored = false;
        row
    }

    /// The same inside namespaces.
    #[must_use]
    pub const fn in_namespaces(mut self) -> Self {
        self.namespaced = true;
        self
    }

    /// Short names.
    #[must_use]
    pub const fn short(mut self, short: &'static [&'static str]) -> Self {
        self.short = short;
        self
    }

    /// Categories.
    #[must_use]
    pub const fn categories(mut self, categories: &'static [&'static str]) -> Self {
        self.categories = categories;
        self
    }

    /// Subresources.
    #[must_use]
    pub const fn subs(mut self, subs: &'static [Sub]) -> Self {
        self.subs = subs;
        self
    }

    /// Verbs, when not all.
    #[must_use]
    pub const fn verbs(mut self, verbs: &'static [Verb]) -> Self {
        self.verbs = verbs;
        self
    }

    /// Schema type, when the rule does not give it.
    #[must_use]
    pub const fn schema(mut self, schema: &'static str) -> Self {
        self.schema = schema;
        self
    }

    /// Stored with another group's objects.
    #[must_use]
    pub const fn stored_as(mut self, group: &'static str, plural: &'static str) -> Self {
        self.stored_as = Some((group, plural));
        self
    }

    /// Opinions.
    #[must_use]
    pub const fn with(mut self, strategy: &'static dyn Strategy) -> Self {
        self.strategy = strategy;
        self
    }
}

/// A kind as the door sees it: made from a [`Row`] (later also from a CustomResourceDefinition).
#[derive(Clone)]
pub struct Resource {
    /// API group; empty for the core group.
    pub group: Arc<str>,
    /// Version.
    pub version: Arc<str>,
    /// `v1` or `group/version`.
    pub api_version: Arc<str>,
    /// Kind.
    pub kind: Arc<str>,
    /// Plural.
    pub plural: Arc<str>,
    /// Singular.
    pub singular: Arc<str>,
    /// Whether objects live in namespaces.
    pub namespaced: bool,
    /// Short names.
    pub short: Vec<Arc<str>>,
    /// Categories.
    pub categories: Vec<Arc<str>>,
    /// Subresources.
    pub subs: Vec<Sub>,
    /// Verbs.
    pub verbs: Vec<Verb>,
    /// Name of the type in the schema table.
    pub schema: Arc<str>,
    /// How every stored object begins: `{"kind":K,"apiVersion":V,`.
    pub head: Arc<str>,
    /// How stored objects begin: as [`Resource::head`], unless they are stored as another group's.
    pub stored_head: Arc<str>,
    /// Key of the whole collection in the store: `/registry/[GROUP/]PLURAL/`.
    pub prefix: Arc<str>,
    /// Group of the kind that objects are stored as; upstream's messages about fields name it.
    pub hub_group: Arc<str>,
    /// False for reviews.
    pub stored: bool,
    /// The kind's opinions.
    pub strategy: &'static dyn Strategy,
}

impl std::fmt::Debug for Resource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.api_version, self.kind)
    }
}

impl Resource {
    /// The run-time form of a row.
    #[must_use]
    pub fn from_row(row: &Row) -> Self {
        let api_version =
            if row.group.is_empty() { row.version.to_owned() } else { format!("{}/{}", row.group, row.version) };
        let label = if row.group.is_empty() { "core" } else { row.group.split('.').next().unwrap_or("core") };
        let schema = if row.schema.is_empty() {
            format!("io.k8s.api.{label}.{}.{}", row.version, row.kind)
        } else {
            row.schema.to_owned()
        };
        let (group, plural) = row.stored_as.unwrap_or((row.group, row.plural));
        let singular = if row.singular.is_empty() { row.kind.to_ascii_lowercase() } else { row.singular.to_owned() };
        let head = format!("{{\"kind\":\"{}\",\"apiVersion\":\"{api_version}\",", row.kind);
        let stored_head = match row.stored_as {
            Some((group, _)) => {
                let version =
                    if group.is_empty() { row.version.to_owned() } else { format!("{group}/{}", row.version) };
                format!("{{\"kind\":\"{}\",\"apiVersion\":\"{version}\",", row.kind)
            }
            None => head.clone(),
        };
        Self {
            stored_head: stored_head.into(),
            head: head.into(),
            group: row.group.into(),
            version: row.version.into(),
            api_version: api_version.into(),
            kind: row.kind.into(),
            plural: row.plural.into(),
            singular: singular.into(),
            namespaced: row.namespaced,
            short: row.short.iter().map(|&s| s.into()).collect(),
            categories: row.categories.iter().map(|&s| s.into()).collect(),
            subs: row.subs.to_vec(),
            verbs: row.verbs.to_vec(),
            schema: schema.into(),
            prefix: collection_key(group, plural).into(),
            hub_group: group.into(),
            stored: row.stored,
            strategy: row.strategy,
        }
    }

    /// Upstream's Go type behind every version of the kind, such as `rbac.Role`; some messages name it.
    #[must_use]
    pub fn go_type(&self) -> String {
        let package = self.hub_group.split('.').next().filter(|label| !label.is_empty()).unwrap_or("core");
        format!("{package}.{}", self.kind)
    }

    /// The subresource of this name.
    #[must_use]
    pub fn sub(&self, name: &str) -> Option<&Sub> {
        self.subs.iter().find(|s| s.name == name)
    }

    /// Key of one object; `namespace` is empty for kinds without namespaces.
    #[must_use]
    pub fn key(&self, namespace: &str, name: &str) -> String {
        let mut key = String::with_capacity(self.prefix.len() + namespace.len() + name.len() + 1);
        key.push_str(&self.prefix);
        if self.namespaced {
            key.push_str(namespace);
            key.push('/');
        }
        key.push_str(name);
        key
    }

    /// Namespace and name of the object at a key of this collection.
    #[must_use]
    pub fn names<'a>(&self, key: &'a str) -> (&'a str, &'a str) {
        let path = key.strip_prefix(&*self.prefix).unwrap_or(key);
        if self.namespaced { path.split_once('/').unwrap_or(("", path)) } else { ("", path) }
    }
}

fn collection_key(group: &str, plural: &str) -> String {
    if group.is_empty() { format!("/registry/{plural}/") } else { format!("/registry/{group}/{plural}/") }
}
