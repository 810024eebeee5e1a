//! Nobody grants what he does not hold (`pkg/registry/rbac/validation`).

use std::collections::{BTreeMap, BTreeSet};

use eksile_kube::authorize::rbac::together;
use eksile_kube::field::quote;
use eksile_kube::strategy::{Context, PolicyRule, User};
use serde_json::Value;

use super::GROUP;

/// Checks that the caller holds all that `rules` grant; `plural` is what is being written.
///
/// # Errors
/// Upstream's words, naming what is missing.
pub(super) fn check(rules: &[PolicyRule], plural: &str, context: &Context<'_>) -> Result<(), String> {
    let user = context.user;
    if unlimited(user) {
        return Ok(());
    }
    let held = context.cluster.rules(user, context.namespace);
    let broad = |rule: &&PolicyRule| !held.rules.iter().any(|own| covers(own, rule));
    let open: Vec<&PolicyRule> = rules.iter().filter(broad).collect();
    let parts = open.iter().map(|rule| parts(rule)).fold(0, usize::saturating_add);
    if parts > MOST_PARTS {
        return Err(format!(
            "user {} is attempting to grant {parts} RBAC permissions at once, {MOST_PARTS} can be looked at",
            quote(&user.name)
        ));
    }
    let missing: Vec<PolicyRule> = open
        .into_iter()
        .flat_map(broken_down)
        .filter(|wanted| !held.rules.iter().any(|rule| covers(rule, wanted)))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let told: BTreeSet<String> = compacted(missing).iter().map(written).collect();
    let told: Vec<String> = told.into_iter().collect();
    let groups: Vec<String> = user.groups.iter().map(|g| quote(g)).collect();
    let mut why = format!(
        "user {} (groups=[{}]) is attempting to grant RBAC permissions not currently held:\n{}",
        quote(&user.name),
        groups.join(" "),
        told.join("\n")
    );
    // Upstream names what is being written where it means the roles.
    let unresolved: Vec<String> =
        held.missing.iter().map(|(_, name)| format!("{plural}.{GROUP} {} not found", quote(name))).collect();
    if !unresolved.is_empty() {
        why.push_str(&format!("; resolution errors: [{}]", together(&unresolved)));
    }
    Err(why)
}

/// Whether nothing is asked of the user.
pub(super) fn unlimited(user: &User) -> bool {
    user.groups.iter().any(|g| g == "system:masters")
}

/// The rules of somebody who may do everything.
pub(super) fn everything() -> [PolicyRule; 2] {
    let star = || vec!["*".to_owned()];
    [
        PolicyRule { verbs: star(), api_groups: star(), resources: star(), ..PolicyRule::default() },
        PolicyRule { verbs: star(), non_resource_urls: star(), ..PolicyRule::default() },
    ]
}

/// Whether a change touches only what the garbage collector needs: owners and finalizers.
pub(super) fn only_for_deletion(new: &Value, old: &Value) -> bool {
    let bare = |object: &Value| {
        let mut copy = object.clone();
        if let Some(metadata) = copy.get_mut("metadata").and_then(Value::as_object_mut) {
            for field in ["ownerReferences", "finalizers", "managedFields", "resourceVersion"] {
                metadata.remove(field);
            }
        }
        copy
    };
    bare(new) == bare(old)
}

/// Single permissions that are looked at: a rule of a few kilobytes may stand for billions.
const MOST_PARTS: usize = 50_000;

/// How many single permissions a rule is broken down into.
fn parts(rule: &PolicyRule) -> usize {
    let of_resources = [&rule.api_groups, &rule.resources, &rule.verbs].into_iter().map(|list| list.len());
    let of_resources = of_resources.fold(rule.resource_names.len().max(1), usize::saturating_mul);
    of_resources.saturating_add(rule.non_resource_urls.len().saturating_mul(rule.verbs.len()))
}

/// One rule for each group, resource, name and verb; one for each path and verb.
fn broken_down(rule: &PolicyRule) -> Vec<PolicyRule> {
    let mut out = Vec::new();
    for group in &rule.api_groups {
        for resource in &rule.resources {
            for verb in &rule.verbs {
                let one = |names: Vec<String>| PolicyRule {
                    verbs: vec![verb.clone()],
                    api_groups: vec![group.clone()],
                    resources: vec![resource.clone()],
                    resource_names: names,
                    ..PolicyRule::default()
                };
                if rule.resource_names.is_empty() {
                    out.push(one(Vec::new()));
                }
                out.extend(rule.resource_names.iter().map(|name| one(vec![name.clone()])));
            }
        }
    }
    for url in &rule.non_resource_urls {
        out.extend(rule.verbs.iter().map(|verb| PolicyRule {
            verbs: vec![verb.clone()],
            non_resource_urls: vec![url.clone()],
            ..PolicyRule::default()
        }));
    }
    out
}

/// Whether a held rule covers a broken-down one.
fn covers(held: &PolicyRule, wanted: &PolicyRule) -> bool {
    let all = |have: &[String], want: &[String]| want.iter().all(|w| have.iter().any(|h| h == w || h == "*"));
    let names = held.resource_names.is_empty()
        || (!wanted.resource_names.is_empty() && wanted.resource_names.iter().all(|w| held.resource_names.contains(w)));
    let resources = wanted.resources.iter().all(|want| {
        let sub = want.split_once('/').map(|(_, sub)| format!("*/{sub}"));
        held.resources.iter().any(|have| have == want || have == "*" || Some(have) == sub.as_ref())
    });
    let urls = wanted.non_resource_urls.iter().all(|want| {
        held.non_resource_urls
            .iter()
            .any(|have| have == want || have.ends_with('*') && want.starts_with(have.trim_end_matches('*')))
    });
    all(&held.verbs, &wanted.verbs) && all(&held.api_groups, &wanted.api_groups) && resources && names && urls
}

/// Rules that differ only in their verb, as one.
fn compacted(rules: Vec<PolicyRule>) -> Vec<PolicyRule> {
    let mut simple: BTreeMap<(String, String, String), PolicyRule> = BTreeMap::new();
    let mut out = Vec::new();
    for rule in rules {
        if rule.resources.is_empty() {
            out.push(rule);
            continue;
        }
        let key = (rule.api_groups.join(","), rule.resources.join(","), rule.resource_names.join(","));
        match simple.get_mut(&key) {
            Some(known) => {
                for verb in rule.verbs {
                    if !known.verbs.contains(&verb) {
                        known.verbs.push(verb);
                    }
                }
            }
            None => {
                simple.insert(key, rule);
            }
        }
    }
    out.extend(simple.into_values());
    out
}

fn written(rule: &PolicyRule) -> String {
    let parts = [
        ("APIGroups", &rule.api_groups),
        ("Resources", &rule.resources),
        ("NonResourceURLs", &rule.non_resource_urls),
        ("ResourceNames", &rule.resource_names),
        ("Verbs", &rule.verbs),
    ];
    let parts: Vec<String> = parts
        .into_iter()
        .filter(|(_, list)| !list.is_empty())
        .map(|(name, list)| {
            let quoted: Vec<String> = list.iter().map(|text| quote(text)).collect();
            format!("{name}:[{}]", quoted.join(" "))
        })
        .collect();
    format!("{{{}}}", parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(groups: &[&str], resources: &[&str], names: &[&str], verbs: &[&str]) -> PolicyRule {
        let own = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect::<Vec<String>>();
        PolicyRule {
            verbs: own(verbs),
            api_groups: own(groups),
            resources: own(resources),
            resource_names: own(names),
            ..PolicyRule::default()
        }
    }

    #[test]
    fn a_name_does_not_cover_all_names() {
        let held = rule(&[""], &["secrets"], &["one"], &["get"]);
        assert!(covers(&held, &rule(&[""], &["secrets"], &["one"], &["get"])));
        assert!(!covers(&held, &rule(&[""], &["secrets"], &[], &["get"])));
        assert!(!covers(&held, &rule(&[""], &["secrets"], &["two"], &["get"])));
    }

    #[test]
    fn a_rule_that_stands_for_billions_is_counted_before_it_is_broken_down() {
        let many: Vec<String> = (0..1000).map(|n| format!("x{n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(parts(&rule(&many, &many, &many, &many)), 1_000_000_000_000);
        let few = rule(&["", "apps"], &["a", "b"], &["n"], &["get"]);
        assert_eq!(parts(&few), broken_down(&few).len());
        let mut urls = rule(&[], &[], &[], &["get", "post"]);
        urls.non_resource_urls = vec!["/a".to_owned(), "/b".to_owned()];
        assert_eq!(parts(&urls), broken_down(&urls).len());
    }

    #[test]
    fn missing_rights_are_written_as_upstream_writes_them() {
        let wanted = rule(&[""], &["secrets"], &[], &["get", "list"]);
        let rules = compacted(broken_down(&wanted));
        assert_eq!(
            rules.iter().map(written).collect::<Vec<_>>(),
            [r#"{APIGroups:[""], Resources:["secrets"], Verbs:["get" "list"]}"#]
        );
    }
}
