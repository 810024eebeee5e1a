//! Third station: may the caller do it?

mod kept;
pub mod node;
pub mod rbac;

use crate::caller::Caller;
use crate::door::Door;
use crate::field::quote;
use crate::locate::{Located, PathRequest, ResourceRequest};
use crate::selector::FieldSelector;
use crate::status::StatusError;

/// What is to be done, as authorizers see it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Attributes<'a> {
    /// Verb.
    pub verb: &'a str,
    /// API group.
    pub group: &'a str,
    /// Plural.
    pub plural: &'a str,
    /// Subresource.
    pub sub: &'a str,
    /// Namespace.
    pub namespace: &'a str,
    /// Name.
    pub name: &'a str,
    /// The path, for requests that are about one rather than about a resource.
    pub path: Option<&'a str>,
    /// Field selector of a list, watch or delete of a collection.
    pub fields: Option<&'a FieldSelector>,
}

impl ResourceRequest {
    /// The request as authorizers see it, or another verb on the same object.
    #[must_use]
    pub fn attributes<'a>(&'a self, verb: &'a str) -> Attributes<'a> {
        Attributes {
            verb,
            group: &self.group,
            plural: &self.plural,
            sub: &self.sub,
            namespace: &self.namespace,
            name: &self.name,
            path: None,
            fields: self.judged_fields().filter(|_| verb == self.verb),
        }
    }
}

impl PathRequest {
    /// The request as authorizers see it.
    #[must_use]
    pub fn attributes(&self) -> Attributes<'_> {
        Attributes { verb: &self.verb, path: Some(&self.path), ..Attributes::default() }
    }
}

impl Located {
    /// The request as authorizers see it.
    #[must_use]
    pub fn attributes(&self) -> Attributes<'_> {
        match self {
            Self::Path(request) => request.attributes(),
            Self::Resource(request) => request.attributes(request.verb),
        }
    }
}

impl Attributes<'_> {
    /// Upstream's sentence about who cannot do what.
    fn refusal(&self, user: &str) -> String {
        let user = quote(user);
        if let Some(path) = self.path {
            return format!("User {user} cannot {} path {}", self.verb, quote(path));
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

/// Refuses what its caller may not do.
///
/// # Errors
/// 403 as upstream words it.
pub fn refuse_unless(door: &Door, caller: &Caller, attributes: &Attributes<'_>) -> Result<(), StatusError> {
    allowed(door, caller, attributes).map_err(|reason| {
        // No error may look like HTML.
        let words = attributes.refusal(&caller.user.name);
        let mut why = words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        if !reason.is_empty() {
            why.push_str(": ");
            why.push_str(&reason);
        }
        StatusError::forbidden(attributes.group, attributes.plural, attributes.name, &why)
    })
}
