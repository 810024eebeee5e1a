//! Third station: may the caller do it?

pub mod node;
pub mod rbac;

use crate::caller::Caller;
use crate::door::Door;
use crate::field::quote;
use crate::locate::Located;
use crate::query::Query;
use crate::selector::FieldSelector;
use crate::status::StatusError;

/// What is to be done, as authorizers see it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Attributes<'a> {
    /// Verb.
    pub verb: &'a str,
    /// API group.
    pub group: &'a str,
    /// Plural; empty for a path.
    pub plural: &'a str,
    /// Subresource.
    pub sub: &'a str,
    /// Namespace.
    pub namespace: &'a str,
    /// Name.
    pub name: &'a str,
    /// Path, for requests that are not about a resource.
    pub path: &'a str,
    /// Field selector of a list or watch.
    pub fields: Option<&'a FieldSelector>,
}

impl Attributes<'_> {
    /// Upstream's sentence about who cannot do what.
    fn refusal(&self, user: &str) -> String {
        let user = quote(user);
        if self.plural.is_empty() {
            return format!("User {user} cannot {} path {}", self.verb, quote(self.path));
        }
        let sub = if self.sub.is_empty() { String::new() } else { format!("/{}", self.sub) };
        let place = if self.namespace.is_empty() {
            "at the cluster scope".to_owned()
        } else {
            format!("in the namespace {}", quote(self.namespace))
        };
        let resource = quote(&format!("{}{sub}", self.plural));
        format!("User {user} cannot {} resource {resource} in API group {} {place}", self.verb, quote(self.group))
    }
}

/// Whether the caller may; the text is an authorizer's reason for not having said yes.
///
/// # Errors
/// The reasons of those who did not allow it, possibly empty.
pub fn allowed(door: &Door, caller: &Caller, attributes: &Attributes<'_>) -> Result<(), String> {
    explained(door, caller, attributes).map(|_| ())
}

/// Why something is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// The caller is in system:masters, or a node about its own business: nothing more is said.
    Itself,
    /// A binding.
    Rbac(rbac::Allowed),
}

/// The same, with the reason of an allowance.
///
/// # Errors
/// The reasons of those who did not allow it, possibly empty.
pub fn explained(door: &Door, caller: &Caller, attributes: &Attributes<'_>) -> Result<Why, String> {
    if caller.masters {
        return Ok(Why::Itself);
    }
    let node = match caller.node().map(|node| node::allowed(&door.graph, node, attributes)) {
        Some(Ok(())) => return Ok(Why::Itself),
        Some(Err(reason)) => reason,
        None => String::new(),
    };
    match door.rbac.allowed(caller, attributes) {
        Ok(allowed) => Ok(Why::Rbac(allowed)),
        Err(rbac) if node.is_empty() => Err(rbac),
        Err(rbac) if rbac.is_empty() => Err(node),
        Err(rbac) => Err(format!("{node}, {rbac}")),
    }
}

/// Refuses a request that its caller may not make.
///
/// # Errors
/// 403 as upstream words it.
pub fn check(door: &Door, caller: &Caller, at: &Located, path: &str, query: &Query<'_>) -> Result<(), StatusError> {
    if caller.masters {
        return Ok(());
    }
    let selector;
    let attributes = match &at.resource {
        None => Attributes { verb: at.verb, path, ..Attributes::default() },
        Some(r) => {
            selector = FieldSelector::parse(query.get("fieldSelector")).unwrap_or_default();
            Attributes {
                verb: at.verb,
                group: &r.group,
                plural: &r.plural,
                sub: &r.sub,
                namespace: &r.namespace,
                name: if r.name.is_empty() { &r.pinned } else { &r.name },
                path,
                fields: Some(&selector),
            }
        }
    };
    refuse_unless(door, caller, &attributes)
}

/// The same for attributes made elsewhere.
///
/// # Errors
/// 403 as upstream words it.
pub fn refuse_unless(door: &Door, caller: &Caller, attributes: &Attributes<'_>) -> Result<(), StatusError> {
    allowed(door, caller, attributes).map_err(|reason| {
        let mut why = attributes.refusal(&caller.user.name);
        if !reason.is_empty() {
            why.push_str(": ");
            why.push_str(&reason);
        }
        StatusError::forbidden(attributes.group, attributes.plural, attributes.name, &why)
    })
}
