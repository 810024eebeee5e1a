//! A ClusterRole with an aggregation rule has the rules of those that it selects
//! (<https://kubernetes.io/docs/reference/access-authn-authz/rbac/#aggregated-clusterroles>).

use std::time::Duration;

use eksile_kube::client::Changes;
use eksile_kube::following::Ended;
use eksile_kube::{Client, StatusError};
use serde_json::{Value, json};

use crate::feed::{self, Kind, text};

const KIND: Kind = Kind { group: "rbac.authorization.k8s.io", version: "v1", plural: "clusterroles", fields: "" };
const ROLES: &str = "/apis/rbac.authorization.k8s.io/v1/clusterroles";
/// Who manages the rules of such a role.
const MANAGER: &str = "clusterrole-aggregation-controller";
/// Changes that follow each other this closely are one.
const SETTLES: Duration = Duration::from_millis(20);
/// First and longest pause after a failure.
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(30));

/// The roles whose rules must change, each with its new rules.
fn plan(roles: &[Value]) -> Vec<(&str, Vec<&Value>)> {
    let mut sorted: Vec<&Value> = roles.iter().collect();
    sorted.sort_by_key(|role| name(role));
    let mut changes = Vec::new();
    for role in roles {
        let Some(rule) = role.get("aggregationRule").filter(|rule| rule.is_object()) else { continue };
        let mut rules: Vec<&Value> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        for selector in list(rule, "clusterRoleSelectors") {
            let others = sorted.iter().filter(|other| name(other) != name(role) && selects(selector, other));
            for rule in others.flat_map(|other| list(other, "rules")) {
                if seen.insert(rule) {
                    rules.push(rule);
                }
            }
        }
        if !list(role, "rules").eq(rules.iter().copied()) {
            changes.push((name(role), rules));
        }
    }
    changes
}

fn name(role: &Value) -> &str {
    text(role, "/metadata/name")
}

fn list<'a>(object: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    object.get(field).and_then(Value::as_array).into_iter().flatten()
}

/// Whether a label selector holds for a role; an empty one holds for all.
fn selects(selector: &Value, role: &Value) -> bool {
    let labels = role.pointer("/metadata/labels");
    let label = |key: &str| labels.and_then(|l| l.get(key)).and_then(Value::as_str);
    let equal = selector["matchLabels"].as_object().into_iter().flatten().all(|(k, v)| label(k) == v.as_str());
    let expressed = list(selector, "matchExpressions").all(|expression| {
        let value = label(text(expression, "/key"));
        let among = list(expression, "values").any(|v| v.as_str() == value);
        match text(expression, "/operator") {
            "In" => value.is_some() && among,
            "NotIn" => value.is_none() || !among,
            "Exists" => value.is_some(),
            "DoesNotExist" => value.is_none(),
            _ => false,
        }
    });
    equal && expressed
}

/// Brings all roles up to date; one that fails does not keep the others.
async fn apply(client: &Client) -> Result<(), StatusError> {
    let listed = client.get(ROLES).await?;
    let roles: Vec<Value> = list(&listed, "items").cloned().collect();
    let mut done = Ok(());
    for (name, rules) in plan(&roles) {
        let mut role = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": { "name": name }
        });
        if !rules.is_empty() {
            role["rules"] = rules.into_iter().cloned().collect();
        }
        let applied = client.apply(&format!("{ROLES}/{name}"), MANAGER, &role).await;
        done = done.and(applied.map(drop));
    }
    done
}

/// Looks at all roles for as long as there are changes: each may concern every other. Tells why they ended.
async fn look(client: &Client, mut changes: Changes) -> Ended {
    let mut failed: Option<Duration> = None;
    loop {
        // A failure is tried again after a pause, or with the next change.
        let wait = failed.unwrap_or(Duration::MAX);
        if let Ok(Err(ended)) = tokio::time::timeout(wait, changes.next()).await {
            return ended;
        }
        while let Ok(Ok(_)) = tokio::time::timeout(SETTLES, changes.next()).await {}
        failed = match apply(client).await {
            Ok(()) => None,
            Err(error) => {
                tracing::warn!(%error, "role aggregation: trying again");
                Some(failed.map_or(PAUSES.0, |pause| (pause * 2).min(PAUSES.1)))
            }
        };
    }
}

/// Runs until the store closes.
pub(crate) async fn run(client: Client) {
    feed::follow(&client, "role-aggregation", KIND, |changes| look(&client, changes)).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(name: &str, labels: &Value, verbs: &[&str]) -> Value {
        let rules: Vec<Value> = verbs.iter().map(|verb| json!({ "verbs": [verb] })).collect();
        json!({ "metadata": { "name": name, "labels": labels }, "rules": rules })
    }

    fn aggregated(name: &str, selectors: &Value) -> Value {
        json!({ "metadata": { "name": name }, "aggregationRule": { "clusterRoleSelectors": selectors } })
    }

    fn verbs(rules: &[&Value]) -> Vec<String> {
        rules.iter().map(|rule| text(rule, "/verbs/0").to_owned()).collect()
    }

    #[test]
    fn rules_come_once_in_the_order_of_selectors_and_names() {
        let (view, edit) = (json!({ "view": "true" }), json!({ "edit": "true" }));
        let roles = [
            role("z", &view, &["get", "list"]),
            role("b", &edit, &["update", "get"]),
            role("a", &view, &["watch", "get"]),
            role("c", &json!({}), &["delete"]),
            aggregated("all", &json!([{ "matchLabels": view }, { "matchLabels": edit }])),
        ];
        let planned = plan(&roles);
        assert_eq!(planned.len(), 1);
        assert_eq!(planned[0].0, "all");
        assert_eq!(verbs(&planned[0].1), ["watch", "get", "list", "update"]);
    }

    #[test]
    fn what_is_right_stays_and_a_role_does_not_select_itself() {
        let mut own = aggregated("own", &json!([{}]));
        own["rules"] = json!([{ "verbs": ["get"] }]);
        let other = role("other", &json!({}), &["get"]);
        assert!(plan(&[own.clone(), other]).is_empty());
        // The last one that it selected is gone.
        assert_eq!(plan(&[own]), [("own", Vec::new())]);
    }

    #[test]
    fn expressions_select_by_their_operators() {
        let labelled = role("a", &json!({ "tier": "web" }), &[]);
        let holds = |expression: Value| selects(&json!({ "matchExpressions": [expression] }), &labelled);
        assert!(holds(json!({ "key": "tier", "operator": "In", "values": ["web", "db"] })));
        assert!(!holds(json!({ "key": "tier", "operator": "NotIn", "values": ["web"] })));
        assert!(holds(json!({ "key": "none", "operator": "NotIn", "values": ["web"] })));
        assert!(holds(json!({ "key": "tier", "operator": "Exists" })));
        assert!(!holds(json!({ "key": "none", "operator": "Exists" })));
        assert!(holds(json!({ "key": "none", "operator": "DoesNotExist" })));
        assert!(!holds(json!({ "key": "none", "operator": "In", "values": ["web"] })));
    }
}
