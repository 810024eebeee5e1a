//! RBAC: the cluster's roles and bindings in memory, kept current from the store, compiled per caller.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use eksile_store::{Change, Revision, Store};
use parking_lot::RwLock;
use serde::Deserialize;
use tokio::sync::watch;

use super::Attributes;
use super::kept::{self, Kept};
use crate::caller::Caller;
use crate::strategy::{Held, PolicyRule, User};

/// Where the kinds of RBAC are stored.
pub const PREFIX: &str = "/registry/rbac.authorization.k8s.io/";

/// How long a writer waits at most.
const SETTLES: Duration = Duration::from_secs(5);

#[derive(Debug, Deserialize)]
struct RoleObject {
    #[serde(default, deserialize_with = "null_is_default")]
    rules: Vec<PolicyRule>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Binding {
    #[serde(default, deserialize_with = "null_is_default")]
    subjects: Vec<Subject>,
    role_ref: RoleRef,
}

#[derive(Debug, Deserialize)]
struct Subject {
    kind: String,
    name: String,
    #[serde(default)]
    namespace: String,
}

#[derive(Debug, Deserialize)]
struct RoleRef {
    kind: String,
    name: String,
}

fn null_is_default<'de, D: serde::Deserializer<'de>, T: Default + Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

/// All roles and bindings at one revision. Keys are the store's without [`PREFIX`].
#[derive(Clone, Default)]
struct Index {
    generation: u64,
    roles: HashMap<String, Arc<Vec<PolicyRule>>>,
    bindings: BTreeMap<String, Arc<Binding>>,
}

/// The rules of one caller: for the whole cluster, and by namespace.
#[derive(Default)]
pub struct Compiled {
    cluster: Vec<Source>,
    namespaces: HashMap<String, Vec<Source>>,
}

/// A binding that holds for a caller.
struct Source {
    /// The role's rules; `None` when there is no such role.
    rules: Option<Arc<Vec<PolicyRule>>>,
    /// Key of the binding in the index.
    binding: Arc<str>,
    /// Which of its subjects the caller is.
    subject: usize,
}

/// Why something is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowed {
    binding: Arc<str>,
    subject: usize,
}

/// The evaluator.
pub struct Rbac {
    index: RwLock<Arc<Index>>,
    applied: watch::Sender<u64>,
}

impl Rbac {
    /// Loads what the store holds.
    #[must_use]
    pub fn load(store: &Store) -> Self {
        let index = Index::of(store);
        let applied = watch::Sender::new(index.generation);
        Self { index: RwLock::new(Arc::new(index)), applied }
    }

    /// Follows the store until it closes.
    pub async fn follow(&self, store: &Store) {
        kept::follow(self, store).await;
    }

    fn publish(&self, index: Arc<Index>) {
        let generation = index.generation;
        *self.index.write() = index;
        self.applied.send_replace(generation);
    }

    /// Waits until the change of this revision counts, so that a writer's next request sees it. While nothing is granted
    /// there is nothing to be seen, and nobody is held for long.
    pub async fn settled(&self, revision: u64) {
        let mut applied = self.applied.subscribe();
        // The sender lives as long as `self`, so this ends with the change.
        let _ = tokio::time::timeout(SETTLES, applied.wait_for(|generation| *generation >= revision)).await;
    }

    /// Whether a rule allows it; how it does is said when it is asked for.
    ///
    /// # Errors
    /// What kept rules from being found (missing roles); mostly empty.
    pub fn allowed(&self, caller: &Caller, attributes: &Attributes<'_>) -> Result<Allowed, String> {
        let compiled = self.compiled(caller);
        let namespaced = compiled.namespaces.get(attributes.namespace).filter(|_| !attributes.namespace.is_empty());
        let mut missing = Vec::new();
        for source in compiled.cluster.iter().chain(namespaced.into_iter().flatten()) {
            match &source.rules {
                Some(rules) if rules.iter().any(|r| covers(r, attributes)) => {
                    return Ok(Allowed { binding: source.binding.clone(), subject: source.subject });
                }
                Some(_) => {}
                None => {
                    missing
                        .extend(self.index.read().missing(&source.binding).map(|(kind, name)| not_there(kind, name)));
                }
            }
        }
        if missing.is_empty() { Err(String::new()) } else { Err(format!("RBAC: {}", together(&missing))) }
    }

    /// Upstream's sentence about an allowance.
    #[must_use]
    pub fn explain(&self, allowed: &Allowed) -> String {
        self.index.read().explain(allowed).unwrap_or_default()
    }

    fn compiled(&self, caller: &Caller) -> Arc<Compiled> {
        let index = self.index.read().clone();
        if let Some((generation, compiled)) = &*caller.compiled.read()
            && *generation == index.generation
        {
            return compiled.clone();
        }
        let compiled = Arc::new(index.compile(&caller.user));
        *caller.compiled.write() = Some((index.generation, compiled.clone()));
        compiled
    }

    /// The rules that hold for `user` in `namespace`.
    #[must_use]
    pub fn rules(&self, user: &User, namespace: &str) -> Held {
        let index = self.index.read().clone();
        let compiled = index.compile(user);
        let namespaced = compiled.namespaces.get(namespace);
        let mut held = Held::default();
        for source in compiled.cluster.iter().chain(namespaced.into_iter().flatten()) {
            match &source.rules {
                Some(rules) => held.rules.extend(rules.iter().cloned()),
                None => held
                    .missing
                    .extend(index.missing(&source.binding).map(|(kind, name)| (kind.to_owned(), name.to_owned()))),
            }
        }
        held
    }

    /// The rules of a role; `namespace` is ignored for a `ClusterRole`.
    #[must_use]
    pub fn role(&self, kind: &str, namespace: &str, name: &str) -> Option<Vec<PolicyRule>> {
        self.index.read().roles.get(&role_key(kind, namespace, name)).map(|r| r.to_vec())
    }
}

impl Kept for Rbac {
    const PREFIX: &'static str = PREFIX;

    fn followed(&self) -> Revision {
        Revision(self.index.read().generation)
    }

    fn load(&self, store: &Store) {
        self.publish(Arc::new(Index::of(store)));
    }

    fn apply(&self, change: &Change) {
        let mut index = Index::clone(&self.index.read());
        index.generation = change.revision.0;
        index.put(&change.key, change.value.as_ref());
        self.publish(Arc::new(index));
    }

    /// Without roles, at a revision that no writer waits for.
    fn lapse(&self) {
        self.publish(Arc::default());
    }
}

/// Upstream's words about a role that is bound and not there.
#[must_use]
pub fn not_there(kind: &str, name: &str) -> String {
    format!("{}.rbac.authorization.k8s.io {name:?} not found", kind.to_lowercase())
}

/// Several errors as one: a single one is told bare.
#[must_use]
pub fn together(errors: &[String]) -> String {
    match errors {
        [one] => one.clone(),
        several => format!("[{}]", several.join(", ")),
    }
}

fn role_key(kind: &str, namespace: &str, name: &str) -> String {
    if kind == "ClusterRole" { format!("clusterroles/{name}") } else { format!("roles/{namespace}/{name}") }
}

impl Index {
    fn of(store: &Store) -> Self {
        let view = store.view();
        let mut index = Self { generation: view.revision().0, ..Self::default() };
        for entry in view.scan(PREFIX, None, usize::MAX) {
            index.put(&entry.key, Some(&entry.value));
        }
        index
    }

    fn put(&mut self, key: &str, value: Option<&bytes::Bytes>) {
        let Some(key) = key.strip_prefix(PREFIX) else { return };
        if key.starts_with("clusterroles/") || key.starts_with("roles/") {
            match value.and_then(|v| parsed::<RoleObject>(key, v)) {
                Some(role) => self.roles.insert(key.to_owned(), Arc::new(role.rules)),
                None => self.roles.remove(key),
            };
        } else if key.starts_with("clusterrolebindings/") || key.starts_with("rolebindings/") {
            match value.and_then(|v| parsed::<Binding>(key, v)) {
                Some(binding) => self.bindings.insert(key.to_owned(), Arc::new(binding)),
                None => self.bindings.remove(key),
            };
        }
    }

    fn compile(&self, user: &User) -> Compiled {
        let mut out = Compiled::default();
        for (key, binding) in &self.bindings {
            let namespace =
                key.strip_prefix("rolebindings/").and_then(|rest| rest.split('/').next()).unwrap_or_default();
            let Some(subject) = binding.subjects.iter().position(|s| s.is(user, namespace)) else { continue };
            let rules = self.roles.get(&role_key(&binding.role_ref.kind, namespace, &binding.role_ref.name)).cloned();
            let source = Source { rules, binding: key.as_str().into(), subject };
            if namespace.is_empty() {
                out.cluster.push(source);
            } else {
                out.namespaces.entry(namespace.to_owned()).or_default().push(source);
            }
        }
        out
    }
}

impl Index {
    /// The role that a binding looks for in vain.
    fn missing(&self, binding: &str) -> Option<(&str, &str)> {
        let role = &self.bindings.get(binding)?.role_ref;
        Some((&role.kind, &role.name))
    }

    fn explain(&self, allowed: &Allowed) -> Option<String> {
        let binding = self.bindings.get(&*allowed.binding)?;
        let subject = binding.subjects.get(allowed.subject)?;
        let (kind, name) = match allowed.binding.split_once('/')? {
            ("rolebindings", rest) => {
                let (namespace, name) = rest.split_once('/')?;
                ("RoleBinding", format!("{name}/{namespace}"))
            }
            (_, name) => ("ClusterRoleBinding", name.to_owned()),
        };
        let who = match (subject.kind.as_str(), subject.namespace.is_empty()) {
            ("ServiceAccount", false) => format!("{}/{}", subject.name, subject.namespace),
            _ => subject.name.clone(),
        };
        let role = &binding.role_ref;
        Some(format!("RBAC: allowed by {kind} {name:?} of {} {:?} to {} {who:?}", role.kind, role.name, subject.kind))
    }
}

fn parsed<T: for<'de> Deserialize<'de>>(key: &str, value: &[u8]) -> Option<T> {
    serde_json::from_slice(value).inspect_err(|error| tracing::error!(key, %error, "unreadable rbac object")).ok()
}

impl Subject {
    fn is(&self, user: &User, namespace: &str) -> bool {
        match self.kind.as_str() {
            "User" => self.name == user.name,
            "Group" => user.groups.contains(&self.name),
            "ServiceAccount" => {
                let namespace = if self.namespace.is_empty() { namespace } else { &self.namespace };
                user.name
                    .strip_prefix("system:serviceaccount:")
                    .and_then(|rest| rest.split_once(':'))
                    .is_some_and(|(ns, name)| !ns.is_empty() && ns == namespace && name == self.name)
            }
            _ => false,
        }
    }
}

fn has(list: &[String], what: &str) -> bool {
    list.iter().any(|one| one == "*" || one == what)
}

/// Whether a rule allows what is asked.
#[must_use]
pub fn covers(rule: &PolicyRule, asked: &Attributes<'_>) -> bool {
    if !has(&rule.verbs, asked.verb) {
        return false;
    }
    if let Some(path) = asked.path {
        let at = |url: &String| url == path || url.ends_with('*') && path.starts_with(url.trim_end_matches('*'));
        return rule.non_resource_urls.iter().any(at);
    }
    has(&rule.api_groups, asked.group)
        && rule.resources.iter().any(|r| names_resource(r, asked))
        && (rule.resource_names.is_empty() || rule.resource_names.iter().any(|n| n == asked.name))
}

fn names_resource(rule: &str, asked: &Attributes<'_>) -> bool {
    if rule == "*" {
        return true;
    }
    if asked.sub.is_empty() {
        return rule == asked.plural;
    }
    let of = |plural: &str| rule.strip_prefix(plural).and_then(|rest| rest.strip_prefix('/')) == Some(asked.sub);
    of("*") || of(asked.plural)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(verbs: &[&str], groups: &[&str], resources: &[&str]) -> PolicyRule {
        let own = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect();
        PolicyRule { verbs: own(verbs), api_groups: own(groups), resources: own(resources), ..PolicyRule::default() }
    }

    #[test]
    fn subresources_need_their_own_rule() {
        let pods = Attributes { verb: "get", plural: "pods", ..Attributes::default() };
        let log = Attributes { sub: "log", ..pods };
        assert!(covers(&rule(&["get"], &[""], &["pods"]), &pods));
        assert!(!covers(&rule(&["get"], &[""], &["pods"]), &log));
        assert!(covers(&rule(&["*"], &["*"], &["*"]), &log));
        assert!(covers(&rule(&["get"], &[""], &["*/log"]), &log));
        assert!(!covers(&rule(&["get"], &["apps"], &["pods"]), &pods));
    }

    #[test]
    fn paths_may_end_in_a_star() {
        let mut one = rule(&["get"], &[], &[]);
        one.non_resource_urls = vec!["/healthz".to_owned(), "/api/*".to_owned()];
        let at = |path| Attributes { verb: "get", path: Some(path), ..Attributes::default() };
        assert!(covers(&one, &at("/healthz")) && covers(&one, &at("/api/v1")));
        assert!(!covers(&one, &at("/healthz/x")) && !covers(&one, &at("/version")));
    }
}
