//! What a kubelet may do (`plugin/pkg/auth/authorizer/node/node_authorizer.go`): its own node, its own pods, and what
//! those refer to. What an object says that is written is NodeRestriction's to judge, at admission.
//!
//! Since 1.32 reads of nodes and pods must be confined to the kubelet's own by name or field selector
//! (`AuthorizeNodeWithSelectors`).

mod graph;

pub(crate) use graph::{Graph, PODS};

use graph::Kind;

use super::Attributes;

/// Verbs allowed to every node on a resource, `plural` or `plural/sub` (`bootstrappolicy.NodeRules`, without what is
/// subdivided below).
const STATIC: &[(&str, &str, &[&str])] = &[
    ("authentication.k8s.io", "tokenreviews", &["create"]),
    ("authorization.k8s.io", "subjectaccessreviews", &["create"]),
    ("authorization.k8s.io", "localsubjectaccessreviews", &["create"]),
    ("certificates.k8s.io", "certificatesigningrequests", &["create", "get", "list", "watch"]),
    ("", "services", &["get", "list", "watch"]),
    ("", "endpoints", &["get"]),
    ("", "events", &["create", "update", "patch"]),
    ("node.k8s.io", "runtimeclasses", &["get", "list", "watch"]),
    ("storage.k8s.io", "csidrivers", &["get", "list", "watch"]),
];

type Decision = Result<(), String>;

/// Whether the node may.
///
/// # Errors
/// The reason for having no opinion; RBAC may still allow it.
pub(crate) fn allowed(graph: &Graph, node: &str, asked: &Attributes<'_>) -> Decision {
    if node.is_empty() {
        return Err("unknown node for user \"system:node:\"".to_owned());
    }
    let judge = Judge { graph, node, asked };
    match (asked.group, asked.plural) {
        ("", "secrets") => judge.read_namespaced(Kind::Secret),
        ("", "configmaps") => judge.read_namespaced(Kind::ConfigMap),
        ("", "persistentvolumeclaims") if asked.sub == "status" => judge.status_update(Kind::Claim),
        ("", "persistentvolumeclaims") => judge.get(Some(Kind::Claim)),
        ("resource.k8s.io", "resourceclaims") => judge.get(Some(Kind::ResourceClaim)),
        // No object of these kinds is stored, so none is related to a node.
        ("", "persistentvolumes") | ("storage.k8s.io", "volumeattachments") => judge.get(None),
        ("", "serviceaccounts") => judge.create_token(),
        ("coordination.k8s.io", "leases") => judge.lease(),
        ("storage.k8s.io", "csinodes") => judge.csi_node(),
        ("resource.k8s.io", "resourceslices") => judge.resource_slice(),
        ("", "nodes") => judge.node(),
        ("", "pods") => judge.pod(),
        _ => judge.fixed(),
    }
}

fn no(why: impl Into<String>) -> Decision {
    Err(why.into())
}

fn is_read(verb: &str) -> bool {
    matches!(verb, "get" | "list" | "watch")
}

/// One question of one node.
struct Judge<'a> {
    graph: &'a Graph,
    node: &'a str,
    asked: &'a Attributes<'a>,
}

impl Judge<'_> {
    fn fixed(&self) -> Decision {
        let asked = self.asked;
        let full =
            if asked.sub.is_empty() { asked.plural.to_owned() } else { format!("{}/{}", asked.plural, asked.sub) };
        let known = STATIC
            .iter()
            .any(|(group, resource, verbs)| *group == asked.group && *resource == full && verbs.contains(&asked.verb));
        if known { Ok(()) } else { no("") }
    }

    /// Whether a way leads from the object to the node.
    fn related(&self, kind: Option<Kind>) -> Decision {
        if self.asked.name.is_empty() {
            return no("No Object name found");
        }
        self.way(kind)
    }

    fn way(&self, kind: Option<Kind>) -> Decision {
        let Attributes { namespace, name, .. } = self.asked;
        if kind.is_some_and(|kind| self.graph.leads(self.node, kind, namespace, name)) {
            return Ok(());
        }
        no(format!("no relationship found between node '{}' and this object", self.node))
    }

    fn read_namespaced(&self, kind: Kind) -> Decision {
        if !is_read(self.asked.verb) {
            return no("can only read resources of this type");
        }
        if !self.asked.sub.is_empty() {
            return no("cannot read subresource");
        }
        if self.asked.namespace.is_empty() {
            return no("can only read namespaced object of this type");
        }
        self.related(Some(kind))
    }

    fn get_one(&self) -> Decision {
        if self.asked.verb != "get" {
            return no("can only get individual resources of this type");
        }
        if !self.asked.sub.is_empty() {
            return no("cannot get subresource");
        }
        Ok(())
    }

    fn get(&self, kind: Option<Kind>) -> Decision {
        self.get_one()?;
        self.related(kind)
    }

    fn status_update(&self, kind: Kind) -> Decision {
        if !matches!(self.asked.verb, "update" | "patch") {
            return no("can only get/update/patch this type");
        }
        self.related(Some(kind))
    }

    fn create_token(&self) -> Decision {
        if self.asked.verb == "get" && self.asked.sub.is_empty() {
            return no("not allowed to get service accounts");
        }
        if self.asked.verb != "create" || self.asked.name.is_empty() {
            return no("can only create tokens for individual service accounts");
        }
        if self.asked.sub != "token" {
            return no("can only create token subresource of serviceaccount");
        }
        self.way(Some(Kind::ServiceAccount))
    }

    fn lease(&self) -> Decision {
        if !matches!(self.asked.verb, "get" | "create" | "update" | "patch" | "delete") {
            return no("can only get, create, update, patch, or delete a node lease");
        }
        if self.asked.namespace != "kube-node-lease" {
            return no("can only access leases in the \"kube-node-lease\" system namespace");
        }
        // A create has no name yet.
        if self.asked.verb != "create" && self.asked.name != self.node {
            return no("can only access node lease with the same name as the requesting node");
        }
        Ok(())
    }

    fn csi_node(&self) -> Decision {
        if !matches!(self.asked.verb, "get" | "create" | "update" | "patch" | "delete") {
            return no("can only get, create, update, patch, or delete a CSINode");
        }
        if !self.asked.sub.is_empty() {
            return no("cannot authorize CSINode subresources");
        }
        if self.asked.verb != "create" && self.asked.name != self.node {
            return no("can only access CSINode with the same name as the requesting node");
        }
        Ok(())
    }

    fn resource_slice(&self) -> Decision {
        if !self.asked.sub.is_empty() {
            return no("cannot authorize ResourceSlice subresources");
        }
        match self.asked.verb {
            "create" => Ok(()),
            "get" | "update" | "patch" | "delete" => self.related(None),
            "watch" | "list" | "deletecollection" if self.selects("spec.nodeName") => Ok(()),
            "watch" | "list" | "deletecollection" => {
                no("can only list/watch/deletecollection resourceslices with nodeName field selector")
            }
            _ => no(
                "only the following verbs are allowed for a ResourceSlice: get, watch, list, create, update, patch, delete, deletecollection",
            ),
        }
    }

    /// Whether a field selector confines the request to what is on this node.
    fn selects(&self, field: &str) -> bool {
        let terms = self.asked.fields.map(crate::selector::FieldSelector::terms).unwrap_or_default();
        terms.iter().any(|term| term.equal && term.field == field && term.value == self.node)
    }

    fn node(&self) -> Decision {
        let (node, name) = (self.node, self.asked.name);
        match (self.asked.sub, self.asked.verb) {
            ("", "create" | "update" | "patch") | ("status", "update" | "patch") => Ok(()),
            ("", "get" | "list" | "watch") if name == node => Ok(()),
            ("", "get" | "list" | "watch") if name.is_empty() => {
                no(format!("node '{node}' cannot read all nodes, only its own Node object"))
            }
            ("", "get" | "list" | "watch") => {
                no(format!("node '{node}' cannot read '{name}', only its own Node object"))
            }
            _ => no(""),
        }
    }

    fn pod(&self) -> Decision {
        match (self.asked.sub, self.asked.verb) {
            ("", "get") => self.own_pod(),
            ("", "list" | "watch") if self.selects("spec.nodeName") => Ok(()),
            ("", "list" | "watch") if !self.asked.name.is_empty() => self.own_pod(),
            ("", "list" | "watch") => no("can only list/watch pods with spec.nodeName field selector"),
            ("", "create" | "delete") | ("status", "update" | "patch") | ("eviction", "create") => Ok(()),
            _ => no(""),
        }
    }

    fn own_pod(&self) -> Decision {
        let Attributes { namespace, name, .. } = self.asked;
        if name.is_empty() {
            return no("No Object name found");
        }
        if self.graph.holds(self.node, namespace, name) {
            return Ok(());
        }
        no(format!("no relationship found between node '{}' and this object", self.node))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::selector::FieldSelector;

    fn graph() -> Graph {
        let graph = Graph::default();
        let pod = serde_json::json!({"metadata": {"namespace": "a", "name": "p"}, "spec": {
            "nodeName": "n", "serviceAccountName": "sa",
            "volumes": [{"secret": {"secretName": "s"}}, {"configMap": {"name": "c"}}, {"persistentVolumeClaim": {"claimName": "v"}}]
        }});
        graph.note("/registry/pods/a/p", pod.to_string().as_bytes(), 1);
        graph
    }

    /// A verb on `[GROUP:]PLURAL[/SUB]` and `[NAMESPACE/]NAME`, with a field selector.
    fn asked(graph: &Graph, node: &str, verb: &str, resource: &str, object: &str, fields: &str) -> Decision {
        let (group, rest) = resource.split_once(':').unwrap_or(("", resource));
        let (plural, sub) = rest.split_once('/').unwrap_or((rest, ""));
        let (namespace, name) = object.split_once('/').unwrap_or(("", object));
        let fields = FieldSelector::parse(fields).unwrap_or_default();
        let asked = Attributes { verb, group, plural, sub, namespace, name, path: None, fields: Some(&fields) };
        allowed(graph, node, &asked)
    }

    #[test]
    fn a_node_reads_what_its_pods_name_by_name_alone() {
        let graph = graph();
        for (resource, name) in [("secrets", "s"), ("configmaps", "c")] {
            for verb in ["get", "list", "watch"] {
                let ask = |node: &str, object: &str| asked(&graph, node, verb, resource, object, "");
                assert_eq!(ask("n", &format!("a/{name}")), Ok(()), "{verb} {resource}");
                let refused = "no relationship found between node 'm' and this object";
                assert_eq!(ask("m", &format!("a/{name}")), Err(refused.to_owned()));
                assert_eq!(ask("n", "a/"), Err("No Object name found".to_owned()));
                assert!(ask("n", "a/other").is_err() && ask("n", &format!("b/{name}")).is_err());
                assert_eq!(ask("n", ""), Err("can only read namespaced object of this type".to_owned()));
            }
            for verb in ["create", "update", "patch", "delete", "deletecollection"] {
                let refused = asked(&graph, "n", verb, resource, &format!("a/{name}"), "");
                assert_eq!(refused, Err("can only read resources of this type".to_owned()));
            }
        }
        assert_eq!(asked(&graph, "n", "get", "persistentvolumeclaims", "a/v", ""), Ok(()));
        assert!(asked(&graph, "n", "list", "persistentvolumeclaims", "a/v", "").is_err());
        assert!(asked(&graph, "n", "get", "persistentvolumes", "pv", "").is_err());
        assert!(asked(&graph, "", "get", "secrets", "a/s", "").is_err(), "a node without a name is none");
    }

    #[test]
    fn tokens_are_of_the_accounts_that_pods_of_the_node_run_as() {
        let graph = graph();
        assert_eq!(asked(&graph, "n", "create", "serviceaccounts/token", "a/sa", ""), Ok(()));
        for (node, verb, resource, object) in [
            ("m", "create", "serviceaccounts/token", "a/sa"),
            ("n", "create", "serviceaccounts/token", "a/default"),
            ("n", "create", "serviceaccounts/token", "b/sa"),
            ("n", "get", "serviceaccounts", "a/sa"),
            ("n", "create", "serviceaccounts", "a/"),
            ("n", "impersonate", "serviceaccounts", "a/sa"),
        ] {
            assert!(asked(&graph, node, verb, resource, object, "").is_err(), "{node} {verb} {resource} {object}");
        }
    }

    #[test]
    fn nodes_pods_and_leases_are_its_own() {
        let graph = graph();
        let own = "spec.nodeName=n";
        for (verb, resource, object, fields) in [
            ("get", "nodes", "n", ""),
            ("watch", "nodes", "n", ""),
            ("create", "nodes", "", ""),
            ("patch", "nodes/status", "m", ""),
            ("get", "pods", "a/p", ""),
            ("list", "pods", "", own),
            ("watch", "pods", "a/p", ""),
            ("create", "pods/eviction", "a/p", ""),
            ("create", "coordination.k8s.io:leases", "kube-node-lease/", ""),
            ("patch", "coordination.k8s.io:leases", "kube-node-lease/n", ""),
            ("update", "storage.k8s.io:csinodes", "n", ""),
            ("list", "resource.k8s.io:resourceslices", "", own),
        ] {
            assert_eq!(asked(&graph, "n", verb, resource, object, fields), Ok(()), "{verb} {resource} {object}");
        }
        for (verb, resource, object, fields) in [
            ("get", "nodes", "m", ""),
            ("list", "nodes", "", ""),
            ("delete", "nodes", "n", ""),
            ("get", "pods", "a/q", ""),
            ("list", "pods", "", ""),
            ("list", "pods", "", "spec.nodeName=m"),
            ("list", "pods", "", "spec.nodeName!=n"),
            ("deletecollection", "pods", "a/", own),
            ("update", "pods", "a/p", ""),
            ("create", "pods/exec", "a/p", ""),
            ("create", "pods/binding", "a/p", ""),
            ("patch", "pods/ephemeralcontainers", "a/p", ""),
            ("get", "coordination.k8s.io:leases", "kube-node-lease/m", ""),
            ("list", "coordination.k8s.io:leases", "kube-node-lease/", ""),
            ("get", "coordination.k8s.io:leases", "default/n", ""),
            ("delete", "storage.k8s.io:csinodes", "m", ""),
            ("get", "resource.k8s.io:resourceslices", "x", ""),
            ("get", "namespaces", "default", ""),
        ] {
            assert!(asked(&graph, "n", verb, resource, object, fields).is_err(), "{verb} {resource} {object} {fields}");
        }
    }
}
