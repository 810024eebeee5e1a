//! Role and ClusterRole.

use eksile_kube::strategy::{Context, NameRule, PolicyRule, Strategy};
use eksile_kube::{Column, FieldErrors, StatusError};
use jiff::Timestamp;
use serde::Deserialize as _;
use serde_json::Value;

use super::{GROUP, escalation};
use crate::columns::{self, AGE, NAME};
use crate::selector::label_selector;
use crate::shown::strings;
use crate::tree::{items, text};

/// The strategy of both.
pub(crate) struct Role {
    /// Whether it is the one without a namespace.
    pub cluster: bool,
}

const COLUMNS: &[Column] = &[NAME, Column { name: "Created At", type_: "date", ..AGE }];

impl Role {
    fn plural(&self) -> &'static str {
        if self.cluster { "clusterroles" } else { "roles" }
    }
}

impl Strategy for Role {
    fn validate(&self, object: &Value, _context: &Context<'_>, errors: &mut FieldErrors) {
        for (index, rule) in items(object, "/rules").iter().enumerate() {
            policy_rule(rule, self.cluster, &format!("rules[{index}]"), errors);
        }
        let Some(aggregation) = object.get("aggregationRule").filter(|a| a.is_object()) else { return };
        let selectors = items(aggregation, "/clusterRoleSelectors");
        if selectors.is_empty() {
            errors.required(
                "aggregationRule.clusterRoleSelectors",
                "at least one clusterRoleSelector required if aggregationRule is non-nil",
            );
        }
        for (index, selector) in selectors.iter().enumerate() {
            let path = format!("aggregationRule.clusterRoleSelectors[{index}]");
            let before = errors.count();
            label_selector(selector, &path, errors);
            if errors.count() > before {
                errors.invalid(path, &"null".into(), "invalid label selector.");
            }
        }
    }

    /// `pkg/registry/rbac/{role,clusterrole}/policybased`.
    fn may_grant(&self, new: &Value, old: Option<&Value>, context: &Context<'_>) -> Result<(), StatusError> {
        let plural = self.plural();
        // The request's name, not the object's: a create has none, so a right restricted by name is no right to create.
        if context.cluster.allowed(context.user, "escalate", GROUP, plural, context.namespace, context.name)
            || old.is_some_and(|old| escalation::only_for_deletion(new, old))
        {
            return Ok(());
        }
        let name = text(new, "/metadata/name");
        let refused = |why: &str| StatusError::forbidden(GROUP, plural, name, why);
        let rules = match new.get("rules") {
            None | Some(Value::Null) => Vec::new(),
            // What cannot be read cannot be held.
            Some(rules) => Vec::<PolicyRule>::deserialize(rules).map_err(|e| refused(&format!("rules: {e}")))?,
        };
        escalation::check(&rules, plural, context).map_err(|why| refused(&why))?;
        // It may gather any rule, and keep a role from being tightened.
        if self.cluster && (aggregates(new) || old.is_some_and(aggregates)) {
            escalation::check(&escalation::everything(), plural, context)
                .map_err(|_| refused("must have cluster-admin privileges to use the aggregationRule"))?;
        }
        Ok(())
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

    fn cells(&self, object: &Value, _now: Timestamp) -> Vec<Value> {
        vec![columns::name(object), text(object, "/metadata/creationTimestamp").into()]
    }
}

fn aggregates(role: &Value) -> bool {
    !items(role, "/aggregationRule/clusterRoleSelectors").is_empty()
}

fn policy_rule(rule: &Value, cluster: bool, path: &str, errors: &mut FieldErrors) {
    let some = |field: &str| !items(rule, &format!("/{field}")).is_empty();
    if !some("verbs") {
        errors.required(format!("{path}.verbs"), "verbs must contain at least one value");
    }
    if some("nonResourceURLs") {
        let shown = strings(items(rule, "/nonResourceURLs"));
        if !cluster {
            let why = "namespaced rules cannot apply to non-resource URLs";
            errors.invalid_verbatim(format!("{path}.nonResourceURLs"), shown.clone(), why);
        }
        if some("apiGroups") || some("resources") || some("resourceNames") {
            let why = "rules cannot apply to both regular resources and non-resource URLs";
            errors.invalid_verbatim(format!("{path}.nonResourceURLs"), shown, why);
        }
        return;
    }
    if !some("apiGroups") {
        errors.required(format!("{path}.apiGroups"), "resource rules must supply at least one api group");
    }
    if !some("resources") {
        errors.required(format!("{path}.resources"), "resource rules must supply at least one resource");
    }
}
