//! Which objects the pods of a node refer to (`plugin/pkg/auth/authorizer/node/graph.go`), kept current from the store.
//!
//! Upstream's graph has a vertex for each object and edges towards nodes; what is asked of it is only whether a way
//! leads from an object to a node. Here each object that pods refer to counts the pods by node, so the question is a
//! look-up. Volumes and attachments have no kind in this server, so no way leads through them, and none is found.

use std::collections::{HashMap, HashSet};

use eksile_store::{Change, Revision, Store};
use parking_lot::RwLock;
use serde_json::Value;

use crate::authorize::kept::{self, Kept};
use crate::references::{self, text};

/// Where pods are stored.
pub(crate) const PODS: &str = "/registry/pods/";

/// A kind of object that pods refer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// A Secret.
    Secret,
    /// A ConfigMap.
    ConfigMap,
    /// A PersistentVolumeClaim.
    Claim,
    /// The ServiceAccount that it runs as.
    ServiceAccount,
    /// A ResourceClaim.
    ResourceClaim,
}

/// An object that pods refer to: its kind, namespace and name.
type Used = (Kind, String, String);

/// A pod on a node.
#[derive(Debug, PartialEq, Eq)]
struct Placed {
    revision: u64,
    node: String,
    uses: HashSet<Used>,
}

#[derive(Debug, Default)]
struct Edges {
    /// Revision up to which the store was followed.
    followed: u64,
    /// Whether it is not as the store: it is empty then, and stays so until it is loaded.
    lapsed: bool,
    /// By `NAMESPACE/NAME`.
    pods: HashMap<String, Placed>,
    /// How many pods of which node use an object.
    used: HashMap<Used, HashMap<String, usize>>,
}

/// The graph.
#[derive(Debug, Default)]
pub(crate) struct Graph(RwLock<Edges>);

impl Graph {
    /// Loads what the store holds.
    pub(crate) fn load(store: &Store) -> Self {
        let graph = Self::default();
        graph.load_from(store);
        graph
    }

    fn load_from(&self, store: &Store) {
        // What is noted meanwhile waits, and so comes after what is loaded.
        let mut held = self.0.write();
        let view = store.view();
        let mut edges = Edges { followed: view.revision().0, ..Edges::default() };
        for entry in view.scan(PODS, None, usize::MAX) {
            edges.put(&entry.key, &entry.value, entry.modified.0);
        }
        *held = edges;
    }

    /// Follows the store until it closes.
    pub(crate) async fn follow(&self, store: &Store) {
        kept::follow(self, store).await;
    }

    /// What a writer has just stored counts at once, before the store tells of it.
    pub(crate) fn note(&self, key: &str, value: &[u8], revision: u64) {
        let mut edges = self.0.write();
        if edges.followed < revision && !edges.lapsed {
            edges.put(key, value, revision);
        }
    }

    /// Whether a pod on this node refers to the object.
    pub(crate) fn leads(&self, node: &str, kind: Kind, namespace: &str, name: &str) -> bool {
        let used = (kind, namespace.to_owned(), name.to_owned());
        self.0.read().used.get(&used).is_some_and(|nodes| nodes.contains_key(node))
    }

    /// Whether the pod is on this node.
    pub(crate) fn holds(&self, node: &str, namespace: &str, pod: &str) -> bool {
        self.0.read().pods.get(&format!("{namespace}/{pod}")).is_some_and(|pod| pod.node == node)
    }
}

impl Kept for Graph {
    const PREFIX: &'static str = PODS;

    fn followed(&self) -> Revision {
        Revision(self.0.read().followed)
    }

    fn load(&self, store: &Store) {
        self.load_from(store);
    }

    fn apply(&self, change: &Change) {
        let mut edges = self.0.write();
        edges.followed = change.revision.0;
        match &change.value {
            Some(value) => edges.put(&change.key, value, change.revision.0),
            None => edges.remove(&change.key, change.revision.0),
        }
    }

    fn lapse(&self) {
        *self.0.write() = Edges { lapsed: true, ..Edges::default() };
    }
}

impl Edges {
    fn put(&mut self, key: &str, value: &[u8], revision: u64) {
        let Some(name) = key.strip_prefix(PODS) else { return };
        if self.pods.get(name).is_some_and(|placed| placed.revision > revision) {
            return;
        }
        let pod: Value = match serde_json::from_slice(value) {
            Ok(pod) => pod,
            Err(error) => {
                // Nobody may read anything for the sake of a pod that nobody can read.
                tracing::error!(key, %error, "unreadable pod");
                Value::Null
            }
        };
        let node = text(&pod, "/spec/nodeName");
        let placed = Placed { revision, node: node.to_owned(), uses: uses(&pod) };
        if let Some(before) = self.pods.get_mut(name).filter(|b| b.node == placed.node && b.uses == placed.uses) {
            before.revision = revision;
            return;
        }
        self.forget(name);
        if placed.node.is_empty() {
            return;
        }
        for used in &placed.uses {
            let nodes = self.used.entry(used.clone()).or_default();
            *nodes.entry(placed.node.clone()).or_default() += 1;
        }
        self.pods.insert(name.to_owned(), placed);
    }

    fn remove(&mut self, key: &str, revision: u64) {
        let Some(name) = key.strip_prefix(PODS) else { return };
        if self.pods.get(name).is_some_and(|placed| placed.revision <= revision) {
            self.forget(name);
        }
    }

    fn forget(&mut self, name: &str) {
        let Some(placed) = self.pods.remove(name) else { return };
        for used in placed.uses {
            let Some(nodes) = self.used.get_mut(&used) else { continue };
            if let Some(count) = nodes.get_mut(&placed.node) {
                *count -= 1;
                if *count == 0 {
                    nodes.remove(&placed.node);
                }
            }
            if nodes.is_empty() {
                self.used.remove(&used);
            }
        }
    }
}

/// What a pod on a node refers to. A mirror pod, which nodes make themselves, gives no right to anything.
fn uses(pod: &Value) -> HashSet<Used> {
    if references::is_mirror(pod) {
        return HashSet::new();
    }
    let namespace = text(pod, "/metadata/namespace");
    let used = |kind: Kind, name: &str| (kind, namespace.to_owned(), name.to_owned());
    let account = text(pod, "/spec/serviceAccountName");
    let mut all: HashSet<Used> = references::secrets(pod).into_iter().map(|name| used(Kind::Secret, name)).collect();
    all.extend(references::config_maps(pod).into_iter().map(|name| used(Kind::ConfigMap, name)));
    all.extend(references::claims(pod).iter().map(|name| used(Kind::Claim, name)));
    all.extend(references::resource_claims(pod).iter().map(|name| used(Kind::ResourceClaim, name)));
    if !account.is_empty() {
        all.insert(used(Kind::ServiceAccount, account));
    }
    all
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(node: &str, secret: &str) -> Vec<u8> {
        let pod = json!({"metadata": {"namespace": "a", "name": "p"}, "spec": {
            "nodeName": node, "serviceAccountName": "sa", "volumes": [{"secret": {"secretName": secret}}]
        }});
        pod.to_string().into_bytes()
    }

    fn leads(graph: &Graph, node: &str, secret: &str) -> bool {
        graph.leads(node, Kind::Secret, "a", secret)
    }

    #[test]
    fn a_node_has_what_its_pods_name_for_as_long_as_they_are_there() {
        let graph = Graph::default();
        graph.note("/registry/pods/a/p", &pod("", "s"), 1);
        assert!(!leads(&graph, "n", "s") && !leads(&graph, "", "s"));
        graph.note("/registry/pods/a/p", &pod("n", "s"), 2);
        graph.note("/registry/pods/a/q", &pod("n", "s"), 3);
        assert!(leads(&graph, "n", "s") && !leads(&graph, "m", "s") && !leads(&graph, "n", "other"));
        assert!(!graph.leads("n", Kind::Secret, "b", "s") && !graph.leads("n", Kind::ConfigMap, "a", "s"));
        assert!(graph.leads("n", Kind::ServiceAccount, "a", "sa") && graph.holds("n", "a", "p"));
        graph.0.write().remove("/registry/pods/a/p", 4);
        assert!(leads(&graph, "n", "s"), "another pod uses it, too");
        graph.0.write().remove("/registry/pods/a/q", 5);
        assert!(!leads(&graph, "n", "s") && !graph.holds("n", "a", "q"));
        assert!(graph.0.read().used.is_empty());
    }

    #[test]
    fn what_is_older_does_not_come_back() {
        let graph = Graph::default();
        graph.note("/registry/pods/a/p", &pod("n", "new"), 5);
        graph.note("/registry/pods/a/p", &pod("n", "old"), 4);
        assert!(leads(&graph, "n", "new") && !leads(&graph, "n", "old"));
        graph.0.write().followed = 9;
        graph.0.write().remove("/registry/pods/a/p", 9);
        graph.note("/registry/pods/a/p", &pod("n", "late"), 8);
        assert!(!leads(&graph, "n", "late"), "the store has told of its end");
    }

    #[tokio::test]
    async fn nodes_have_nothing_of_a_graph_that_is_not_as_the_store() {
        let (_folder, store) = kept::tests::store();
        let graph = std::sync::Arc::new(Graph::default());
        graph.note("/registry/pods/a/p", &pod("n", "old"), 1);
        // The store cannot be followed from there, as it does not expect.
        graph.0.write().followed = 1000;
        let (followed, its) = (graph.clone(), store.clone());
        let task = tokio::spawn(async move { followed.follow(&its).await });
        kept::tests::until("the end of the old right", || !leads(&graph, "n", "old")).await;
        let stored = String::from_utf8(pod("n", "new")).unwrap();
        kept::tests::put(&store, "/registry/pods/a/p", &stored).await;
        kept::tests::until("the new right", || leads(&graph, "n", "new")).await;
        assert!(!leads(&graph, "n", "old"));
        task.abort();
        kept::tests::until("the end of the new right", || !leads(&graph, "n", "new")).await;
        graph.note("/registry/pods/a/q", &pod("n", "noted"), 2000);
        assert!(!leads(&graph, "n", "noted"), "it is loaded first");
    }

    #[test]
    fn mirror_pods_give_nothing() {
        let graph = Graph::default();
        let pod = json!({"metadata": {"namespace": "a", "name": "p", "annotations": {references::MIRROR: "x"}},
            "spec": {"nodeName": "n", "serviceAccountName": "sa", "volumes": [{"secret": {"secretName": "s"}}]}});
        graph.note("/registry/pods/a/p", pod.to_string().as_bytes(), 1);
        assert!(!leads(&graph, "n", "s") && !graph.leads("n", Kind::ServiceAccount, "a", "sa"));
        assert!(graph.holds("n", "a", "p"), "the node reads the pod itself");
    }
}
