//! RoleBinding and ClusterRoleBinding.

use eksile_kube::field::quote;
use eksile_kube::strategy::{Context, NameRule, Strategy};
use eksile_kube::{Column, FieldErrors, StatusError};
use jiff::Timestamp;
use serde_json::Value;

use super::{GROUP, escalation};
use crate::columns::{self, AGE, NAME, shown, wide};
use crate::names::{one_of, subdomain};
use crate::tree::{items, items_mut, map, or_set, text};

/// The strategy of both.
pub(crate) struct Binding {
    /// Whether it is the one without a namespace.
    pub cluster: bool,
}

const COLUMNS: &[Column] = &[
    NAME,
    shown("Role", "The role that is bound."),
    AGE,
    wide("Users", "The users that get it."),
    wide("Groups", "The groups that get it."),
    wide("ServiceAccounts", "The service accounts that get it."),
];

impl Binding {
    fn plural(&self) -> &'static str {
        if self.cluster { "clusterrolebindings" } else { "rolebindings" }
    }
}

impl Strategy for Binding {
    fn defaults(&self, object: &mut Value) {
        if let Some(role) = map(object, "roleRef") {
            or_set(role, "apiGroup", GROUP);
        }
        for subject in items_mut(object, "/subjects") {
            let named = matches!(text(subject, "/kind"), "User" | "Group");
            if let Some(fields) = subject.as_object_mut().filter(|_| named) {
                or_set(fields, "apiGroup", GROUP);
            }
        }
    }

    fn validate(&self, object: &Value, _context: &Context<'_>, errors: &mut FieldErrors) {
        one_of(text(object, "/roleRef/apiGroup"), &[GROUP], "roleRef.apiGroup", errors);
        let kinds: &[&str] = if self.cluster { &["ClusterRole"] } else { &["Role", "ClusterRole"] };
        one_of(text(object, "/roleRef/kind"), kinds, "roleRef.kind", errors);
        let name = text(object, "/roleRef/name");
        if name.is_empty() {
            errors.required("roleRef.name", "");
        }
        for problem in eksile_kube::names::path_segment(name) {
            errors.invalid("roleRef.name", &name.into(), problem);
        }
        for (index, subject) in items(object, "/subjects").iter().enumerate() {
            self.subject(subject, &format!("subjects[{index}]"), errors);
        }
    }

    fn validate_update(&self, new: &Value, old: &Value, _context: &Context<'_>, errors: &mut FieldErrors) {
        if new.get("roleRef") != old.get("roleRef") {
            let part = |field: &str| eksile_kube::field::quote(text(new, &format!("/roleRef/{field}")));
            let shown =
                format!("rbac.RoleRef{{APIGroup:{}, Kind:{}, Name:{}}}", part("apiGroup"), part("kind"), part("name"));
            errors.invalid_verbatim("roleRef", shown, "cannot change roleRef");
        }
    }

    /// `pkg/registry/rbac/{rolebinding,clusterrolebinding}/policybased`.
    fn may_grant(&self, new: &Value, old: Option<&Value>, context: &Context<'_>) -> Result<(), StatusError> {
        let (kind, role) = (text(new, "/roleRef/kind"), text(new, "/roleRef/name"));
        let roles = match kind {
            "ClusterRole" => Some("clusterroles"),
            "Role" => Some("roles"),
            _ => None,
        };
        let may_bind = |roles: &str| {
            let group = text(new, "/roleRef/apiGroup");
            context.cluster.allowed(context.user, "bind", group, roles, context.namespace, role)
        };
        if escalation::unlimited(context.user)
            || roles.is_some_and(may_bind)
            || old.is_some_and(|old| escalation::only_for_deletion(new, old))
        {
            return Ok(());
        }
        if roles.is_none() {
            return Err(StatusError::unexplained(format!("unsupported role reference kind: {}", quote(kind))));
        }
        let Some(rules) = context.cluster.role_rules(kind, context.namespace, role) else {
            return Err(StatusError::not_found(GROUP, self.plural(), role));
        };
        escalation::check(&rules, self.plural(), context)
            .map_err(|why| StatusError::forbidden(GROUP, self.plural(), text(new, "/metadata/name"), &why))
    }

    fn create_on_update(&self) -> bool {
        true
    }

    fn metadata_checks(&self) -> usize {
        2
    }

    fn name_rule(&self) -> NameRule {
        NameRule::PathSegment
    }

    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }

    fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        let of = |kind: &str| -> Value {
            let names: Vec<String> = items(object, "/subjects")
                .iter()
                .filter(|s| text(s, "/kind") == kind)
                .map(|s| match kind {
                    "ServiceAccount" => format!("{}/{}", text(s, "/namespace"), text(s, "/name")),
                    _ => text(s, "/name").to_owned(),
                })
                .collect();
            names.join(", ").into()
        };
        let role = format!("{}/{}", text(object, "/roleRef/kind"), text(object, "/roleRef/name"));
        vec![
            columns::name(object),
            role.into(),
            columns::age(object, now),
            of("User"),
            of("Group"),
            of("ServiceAccount"),
        ]
    }
}

impl Binding {
    fn subject(&self, subject: &Value, path: &str, errors: &mut FieldErrors) {
        let (name, group) = (text(subject, "/name"), text(subject, "/apiGroup"));
        if name.is_empty() {
            errors.required(format!("{path}.name"), "");
        }
        match text(subject, "/kind") {
            "ServiceAccount" => {
                if !name.is_empty() {
                    subdomain(name, &format!("{path}.name"), errors);
                }
                one_of(group, &[""], &format!("{path}.apiGroup"), errors);
                if self.cluster && text(subject, "/namespace").is_empty() {
                    errors.required(format!("{path}.namespace"), "");
                }
            }
            "User" | "Group" => one_of(group, &[GROUP], &format!("{path}.apiGroup"), errors),
            other => {
                errors.not_supported(format!("{path}.kind"), &other.into(), &["ServiceAccount", "User", "Group"]);
            }
        }
    }
}
