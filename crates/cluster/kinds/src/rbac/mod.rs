//! Roles and bindings, and the rule that nobody gives away what he does not hold.

mod binding;
mod escalation;
mod role;

pub(crate) use binding::Binding;
pub(crate) use role::Role;

/// The API group.
const GROUP: &str = "rbac.authorization.k8s.io";
