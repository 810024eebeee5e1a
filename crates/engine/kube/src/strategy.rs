//! What a kind may have opinions about. Every method has a default; a kind overrides what it needs.
//!
//! Objects are `serde_json::Value` trees that have passed the schema (types right, unknown fields dropped, the schema
//! table's defaults filled in). Order of a create: `defaults`, `prepare_create`, `validate`, admission, `stage`.
//! Of an update: `defaults`, `prepare_update`, `validate` + `validate_update`, `stage`. Metadata (name, uid, times,
//! generation, managed fields, finalizers) belongs to the door; `generation` is raised where `prepare_*` says so.

use std::borrow::Cow;

use eksile_store::Txn;
use serde_json::Value;

use crate::field::FieldErrors;
use crate::status::StatusError;

/// Who is asking, as authentication found it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct User {
    /// User name.
    pub name: String,
    /// Unique id; may be empty.
    pub uid: String,
    /// Groups, `system:authenticated` or `system:unauthenticated` among them.
    pub groups: Vec<String>,
    /// Extra facts, sorted by key.
    pub extra: Vec<(String, Vec<String>)>,
}

/// A rule of RBAC, as roles carry it.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PolicyRule {
    /// Verbs or `*`.
    #[serde(deserialize_with = "null_is_none")]
    pub verbs: Vec<String>,
    /// API groups or `*`.
    #[serde(deserialize_with = "null_is_none", skip_serializing_if = "Vec::is_empty")]
    pub api_groups: Vec<String>,
    /// `resource`, `resource/sub`, `*/sub` or `*`.
    #[serde(deserialize_with = "null_is_none", skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
    /// Names; empty for all.
    #[serde(deserialize_with = "null_is_none", skip_serializing_if = "Vec::is_empty")]
    pub resource_names: Vec<String>,
    /// Paths, possibly ending in `*`.
    #[serde(rename = "nonResourceURLs", deserialize_with = "null_is_none", skip_serializing_if = "Vec::is_empty")]
    pub non_resource_urls: Vec<String>,
}

/// Go writes a list that is not there as `null`.
fn null_is_none<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    use serde::Deserialize as _;
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

/// What bindings give a user.
#[derive(Debug, Clone, Default)]
pub struct Held {
    /// The rules of their roles.
    pub rules: Vec<PolicyRule>,
    /// Kinds and names of roles that are bound and not there.
    pub missing: Vec<(String, String)>,
}

/// What a strategy may ask about the cluster while it prepares or validates (not inside the transaction).
pub trait Cluster: Send + Sync {
    /// Whether `user` may do `verb` on the resource (`sub` and `name` may be empty).
    fn allowed(&self, user: &User, verb: &str, group: &str, plural: &str, namespace: &str, name: &str) -> bool;

    /// The rules that hold for `user` in `namespace` (cluster-wide ones when empty).
    fn rules(&self, user: &User, namespace: &str) -> Held;

    /// The rules of the role that a binding refers to; `None` when there is no such role.
    fn role_rules(&self, kind: &str, namespace: &str, name: &str) -> Option<Vec<PolicyRule>>;

    /// Service CIDRs of the cluster, such as `10.100.0.0/16`.
    fn service_cidrs(&self) -> &[String];
}

/// The circumstances of a request.
pub struct Context<'a> {
    /// The caller.
    pub user: &'a User,
    /// Wall time of the request.
    pub now: jiff::Timestamp,
    /// Namespace of the request; empty for kinds without namespaces.
    pub namespace: &'a str,
    /// Name in the request, as it was authorized; empty for a create, whatever the object is called.
    pub name: &'a str,
    /// Subresource of the request; empty for the object itself.
    pub sub: &'a str,
    /// What else there is.
    pub cluster: &'a dyn Cluster,
}

/// A column of the `Table` form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Heading.
    pub name: &'static str,
    /// OpenAPI type: `string`, `integer`, `number`, `boolean`, `date`.
    pub type_: &'static str,
    /// OpenAPI format; `name` marks the name column.
    pub format: &'static str,
    /// Description.
    pub description: &'static str,
    /// 0 is shown by default, 1 with `-o wide`.
    pub priority: i32,
}

/// The rule for names of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameRule {
    /// RFC 1123 subdomain, at most 253 characters.
    Subdomain,
    /// RFC 1123 label, at most 63 characters.
    Label,
    /// RFC 1035 label (begins with a letter), at most 63 characters.
    Label1035,
    /// Any single path segment (RBAC kinds).
    PathSegment,
}

/// What a delete with grace should do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grace {
    /// Remove at once.
    Now,
    /// Mark with a deletion timestamp this many seconds ahead; whoever runs the object deletes it with 0. With 0 it is
    /// marked and removed.
    After(i64),
}

/// A kind's opinions.
pub trait Strategy: Send + Sync + 'static {
    /// Defaults beyond the schema table's.
    fn defaults(&self, _object: &mut Value) {}

    /// Drops what a create may not set (status), sets initial values. Set `metadata.generation` to 1 here for kinds
    /// that have one.
    fn prepare_create(&self, _new: &mut Value, _context: &Context<'_>) {}

    /// Restores from `old` what this write may not change: without subresource the status, with one everything but
    /// its part. Raise `metadata.generation` when the desired state changed, for kinds that have one.
    fn prepare_update(&self, new: &mut Value, old: &Value, context: &Context<'_>) {
        keep_other_part(new, old, context.sub);
    }

    /// Checks the whole object.
    fn validate(&self, _object: &Value, _context: &Context<'_>, _errors: &mut FieldErrors) {}

    /// Checks a new object, beside [`Strategy::validate`].
    fn validate_create(&self, _new: &Value, _context: &Context<'_>, _errors: &mut FieldErrors) {}

    /// Checks a change, beside [`Strategy::validate`].
    fn validate_update(&self, _new: &Value, _old: &Value, _context: &Context<'_>, _errors: &mut FieldErrors) {}

    /// Refuses a write that would give away more than its caller holds, before anything else is said about the object.
    /// `old` is `None` for a create.
    ///
    /// # Errors
    /// The answer to give instead.
    fn may_grant(&self, _new: &Value, _old: Option<&Value>, _context: &Context<'_>) -> Result<(), StatusError> {
        Ok(())
    }

    /// Refuses a valid write for reasons other than field errors (rights over a signer). `old` is `None` for a create.
    ///
    /// # Errors
    /// The answer to give instead.
    fn authorize(&self, _new: &Value, _old: Option<&Value>, _context: &Context<'_>) -> Result<(), StatusError> {
        Ok(())
    }

    /// Refuses a delete.
    ///
    /// # Errors
    /// The answer to give instead.
    fn validate_delete(&self, _object: &Value, _context: &Context<'_>) -> Result<(), StatusError> {
        Ok(())
    }

    /// Texts for `Warning` headers (299).
    fn warnings(&self, _new: &Value, _old: Option<&Value>) -> Vec<String> {
        Vec::new()
    }

    /// Texts for `Warning` headers about a new object as it was sent, before [`Strategy::prepare_create`] changes it.
    fn early_warnings(&self, _new: &Value) -> Vec<String> {
        Vec::new()
    }

    /// How often the check of a change looks at the metadata as of a new object, beside what every kind has: upstream's
    /// kinds differ, and the causes of a refusal tell each time.
    fn metadata_checks(&self) -> usize {
        1
    }

    /// The rule for names.
    fn name_rule(&self) -> NameRule {
        NameRule::Subdomain
    }

    /// Whether [`Strategy::stage`] does something (it then runs in the store's transaction; keep it short).
    fn stages(&self) -> bool {
        false
    }

    /// Runs inside the transaction: allocations, checks that must be consistent. `new` is `None` for the removal of
    /// `old`, `old` is `None` for a create.
    ///
    /// # Errors
    /// The answer to give instead; nothing is written then.
    fn stage(
        &self,
        _new: Option<&mut Value>,
        _old: Option<&Value>,
        _txn: &mut Txn<'_>,
        _context: &Context<'_>,
    ) -> Result<(), StatusError> {
        Ok(())
    }

    /// Fields that a write through the object (`sub` empty) or a subresource cannot set, so that nobody manages them
    /// through it (upstream's `GetResetFields`).
    fn reset_fields(&self, sub: &str) -> &'static [&'static [&'static str]] {
        match sub {
            "" => &[&["status"]],
            "status" => &[&["spec"]],
            _ => &[],
        }
    }

    /// Whether objects are stored in the form of another group's kind (`Row::stored_as`).
    fn converts(&self) -> bool {
        false
    }

    /// Into the stored form.
    fn encode_stored(&self, _object: &mut Value) {}

    /// Out of the stored form.
    fn decode_stored(&self, _object: &mut Value) {}

    /// Field selectors beyond `metadata.name` and `metadata.namespace`.
    fn selectable(&self) -> &'static [&'static str] {
        &[]
    }

    /// The value of one of [`Strategy::selectable`].
    fn field<'a>(&self, _object: &'a Value, _name: &str) -> Cow<'a, str> {
        Cow::Borrowed("")
    }

    /// Columns of the `Table` form.
    fn columns(&self) -> &'static [Column] {
        PLAIN_COLUMNS
    }

    /// Cells of one row, as many as columns.
    fn cells(&self, object: &Value, _now: jiff::Timestamp) -> Vec<Value> {
        vec![
            object.pointer("/metadata/name").cloned().unwrap_or_default(),
            object.pointer("/metadata/creationTimestamp").cloned().unwrap_or_default(),
        ]
    }

    /// Grace of a delete; `asked` is `gracePeriodSeconds` of the options.
    fn grace(&self, _object: &Value, _asked: Option<i64>) -> Grace {
        Grace::Now
    }

    /// Whether a delete answers with the object (upstream's `ReturnDeletedObject`) rather than a `Status`.
    fn returns_deleted(&self) -> bool {
        false
    }

    /// Whether a delete checks its preconditions before it goes to the store, and says so in its own words; namespaces do
    /// not.
    fn finds_preconditions_broken_early(&self) -> bool {
        true
    }

    /// Whether the object keeps a deleted one from going, beside `metadata.finalizers` (`spec.finalizers` of
    /// namespaces).
    fn blocks_deletion(&self, _object: &Value) -> bool {
        false
    }

    /// Called when a deletion timestamp has just been set (a namespace's phase becomes `Terminating`).
    fn mark_deleted(&self, _object: &mut Value) {}

    /// Whether a PUT (or apply) to a name that does not exist creates it.
    fn create_on_update(&self) -> bool {
        false
    }

    /// Whether a PUT without resourceVersion is accepted.
    fn unconditional_update(&self) -> bool {
        true
    }

    /// Finalizers that a new object gets.
    fn finalizers(&self) -> &'static [&'static str] {
        &[]
    }
}

/// The columns of kinds without opinions: name and creation time.
pub const PLAIN_COLUMNS: &[Column] = &[
    Column { name: "Name", type_: "string", format: "name", description: "The object's name.", priority: 0 },
    Column { name: "Created At", type_: "date", format: "", description: "When the object was created.", priority: 0 },
];

/// The usual split: a write to the object keeps `status`, a write to `status` keeps everything else but
/// the metadata (upstream's built-in kinds accept labels and annotations there).
pub fn keep_other_part(new: &mut Value, old: &Value, sub: &str) {
    if sub.is_empty() {
        restore(new, old, "status");
        return;
    }
    let (Some(fields), Some(before)) = (new.as_object_mut(), old.as_object()) else { return };
    fields.retain(|name, _| name == sub || name == "metadata");
    for (name, value) in before {
        if name != sub && name != "metadata" {
            fields.insert(name.clone(), value.clone());
        }
    }
}

/// Puts the top-level field `name` back as it was in `old`, absent if it was absent.
pub fn restore(new: &mut Value, old: &Value, name: &str) {
    let Some(fields) = new.as_object_mut() else { return };
    match old.get(name) {
        Some(value) => fields.insert(name.to_owned(), value.clone()),
        None => fields.remove(name),
    };
}

/// The strategy of a kind without opinions.
pub struct Plain;

/// The strategy of a kind without opinions, as rows refer to it.
pub static PLAIN: Plain = Plain;

impl Strategy for Plain {}
