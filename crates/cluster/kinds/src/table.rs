//! The table of built-in kinds: one row each.

use eksile_kube::Row;
use eksile_kube::resource::{Sub, Verb};

use crate::configmap::ConfigMap;
use crate::csr::CertificateSigningRequest;
use crate::event::{CoreEvent, NewEvent};
use crate::lease::Lease;
use crate::namespace::Namespace;
use crate::node::Node;
use crate::pod::Pod;
use crate::rbac::{Binding, Role};
use crate::secret::Secret;
use crate::service::Service;
use crate::serviceaccount::ServiceAccount;

const CORE: &str = "";
const AUTHENTICATION: &str = "authentication.k8s.io";
const AUTHORIZATION: &str = "authorization.k8s.io";
const CERTIFICATES: &str = "certificates.k8s.io";
const COORDINATION: &str = "coordination.k8s.io";
const EVENTS: &str = "events.k8s.io";
const RBAC: &str = "rbac.authorization.k8s.io";

const UPDATE: &[Verb] = &[Verb::Update];
const STREAM: &[Verb] = &[Verb::Create, Verb::Get];
const PROXY: &[Verb] = &[Verb::Create, Verb::Delete, Verb::Get, Verb::Patch, Verb::Update];
/// Namespaces cannot be deleted as a collection.
const NO_COLLECTION: &[Verb] =
    &[Verb::Create, Verb::Delete, Verb::Get, Verb::List, Verb::Patch, Verb::Update, Verb::Watch];

/// All built-in kinds, core group first, groups in alphabetical order of their discovery.
pub static ROWS: &[Row] = &[
    Row { verbs: &[Verb::Create], stored: false, ..Row::namespaced(CORE, "v1", "Binding", "bindings") },
    Row::namespaced(CORE, "v1", "ConfigMap", "configmaps").short(&["cm"]).with(&ConfigMap),
    Row::namespaced(CORE, "v1", "Event", "events").short(&["ev"]).with(&CoreEvent),
    Row::cluster(CORE, "v1", "Namespace", "namespaces")
        .short(&["ns"])
        .verbs(NO_COLLECTION)
        .subs(&[Sub::part("finalize", UPDATE), Sub::STATUS])
        .with(&Namespace),
    Row::cluster(CORE, "v1", "Node", "nodes")
        .short(&["no"])
        .subs(&[Sub::connect("proxy", "NodeProxyOptions", PROXY), Sub::STATUS])
        .with(&Node),
    Row::namespaced(CORE, "v1", "Pod", "pods")
        .short(&["po"])
        .categories(&["all"])
        .subs(&[
            Sub::connect("attach", "PodAttachOptions", STREAM),
            Sub::action("binding", ("", ""), "Binding"),
            Sub::part("ephemeralcontainers", eksile_kube::resource::PART_VERBS),
            Sub::action("eviction", ("policy", "v1"), "Eviction"),
            Sub::connect("exec", "PodExecOptions", STREAM),
            Sub::connect("log", "Pod", &[Verb::Get]),
            Sub::connect("portforward", "PodPortForwardOptions", STREAM),
            Sub::connect("proxy", "PodProxyOptions", PROXY),
            Sub::part("resize", eksile_kube::resource::PART_VERBS),
            Sub::STATUS,
        ])
        .with(&Pod),
    Row::namespaced(CORE, "v1", "Secret", "secrets").with(&Secret),
    Row::namespaced(CORE, "v1", "ServiceAccount", "serviceaccounts")
        .short(&["sa"])
        .subs(&[Sub::action("token", (AUTHENTICATION, "v1"), "TokenRequest")])
        .with(&ServiceAccount),
    Row::namespaced(CORE, "v1", "Service", "services")
        .short(&["svc"])
        .categories(&["all"])
        .subs(&[Sub::connect("proxy", "ServiceProxyOptions", PROXY), Sub::STATUS])
        .with(&Service),
    Row::namespaced(EVENTS, "v1", "Event", "events").short(&["ev"]).stored_as(CORE, "events").with(&NewEvent),
    Row::review(AUTHENTICATION, "v1", "SelfSubjectReview", "selfsubjectreviews"),
    Row::review(AUTHENTICATION, "v1", "TokenReview", "tokenreviews"),
    Row::review(AUTHORIZATION, "v1", "LocalSubjectAccessReview", "localsubjectaccessreviews").in_namespaces(),
    Row::review(AUTHORIZATION, "v1", "SelfSubjectAccessReview", "selfsubjectaccessreviews"),
    Row::review(AUTHORIZATION, "v1", "SelfSubjectRulesReview", "selfsubjectrulesreviews"),
    Row::review(AUTHORIZATION, "v1", "SubjectAccessReview", "subjectaccessreviews"),
    Row::cluster(CERTIFICATES, "v1", "CertificateSigningRequest", "certificatesigningrequests")
        .short(&["csr"])
        .subs(&[Sub::part("approval", eksile_kube::resource::PART_VERBS), Sub::STATUS])
        .with(&CertificateSigningRequest),
    Row::cluster(RBAC, "v1", "ClusterRole", "clusterroles").with(&Role { cluster: true }),
    Row::cluster(RBAC, "v1", "ClusterRoleBinding", "clusterrolebindings").with(&Binding { cluster: true }),
    Row::namespaced(RBAC, "v1", "Role", "roles").with(&Role { cluster: false }),
    Row::namespaced(RBAC, "v1", "RoleBinding", "rolebindings").with(&Binding { cluster: false }),
    Row::namespaced(COORDINATION, "v1", "Lease", "leases").with(&Lease),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use eksile_kube::resource::SubKind;

    use super::*;

    #[test]
    fn every_row_is_whole() {
        let mut seen = BTreeSet::new();
        for row in ROWS {
            assert!(seen.insert((row.group, row.version, row.plural)), "{} occurs twice", row.plural);
            let version =
                if row.group.is_empty() { row.version.to_owned() } else { format!("{}/{}", row.group, row.version) };
            assert!(crate::schemas::builtin().kind(&version, row.kind).is_some(), "no schema for {}", row.kind);
            assert!(row.subs.is_sorted_by_key(|s| s.name), "subresources of {} out of order", row.plural);
            let columns = row.strategy.columns().len();
            let object = serde_json::json!({"metadata": {"name": "x"}});
            let cells = row.strategy.cells(&object, jiff::Timestamp::UNIX_EPOCH).len();
            assert_eq!(columns, cells, "columns and cells of {}", row.plural);
            for sub in row.subs.iter().filter(|s| s.served == SubKind::Action) {
                assert!(!sub.kind.is_empty(), "{}/{} has no kind", row.plural, sub.name);
            }
        }
    }
}
