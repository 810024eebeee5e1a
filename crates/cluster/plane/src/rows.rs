//! Kinds without opinions, until the table of kinds has them all.

use eksile_kube::Row;
use eksile_kube::resource::{PART_VERBS, Sub, Verb};

/// The rows.
pub(crate) static ROWS: &[Row] = &[
    Row::namespaced("", "v1", "ConfigMap", "configmaps").short(&["cm"]),
    Row::namespaced("", "v1", "Event", "events").short(&["ev"]),
    Row::cluster("", "v1", "Namespace", "namespaces").short(&["ns"]).subs(&[Sub::part("finalize", &[Verb::Update]), Sub::STATUS]),
    Row::cluster("", "v1", "Node", "nodes").short(&["no"]).subs(&[Sub::STATUS]),
    Row::namespaced("", "v1", "Pod", "pods").short(&["po"]).categories(&["all"]).subs(&[
        Sub::action("binding", ("", ""), "Binding"),
        Sub::connect("exec", "PodExecOptions", &[Verb::Create, Verb::Get]),
        Sub::connect("log", "Pod", &[Verb::Get]),
        Sub::STATUS,
    ]),
    Row::namespaced("", "v1", "Secret", "secrets"),
    Row::namespaced("", "v1", "ServiceAccount", "serviceaccounts").short(&["sa"]).subs(&[Sub::action(
        "token",
        ("authentication.k8s.io", "v1"),
        "TokenRequest",
    )]),
    Row::namespaced("", "v1", "Service", "services").short(&["svc"]).subs(&[Sub::STATUS]),
    Row::review("authentication.k8s.io", "v1", "SelfSubjectReview", "selfsubjectreviews"),
    Row::review("authentication.k8s.io", "v1", "TokenReview", "tokenreviews"),
    Row::review("authorization.k8s.io", "v1", "SelfSubjectAccessReview", "selfsubjectaccessreviews"),
    Row::review("authorization.k8s.io", "v1", "SelfSubjectRulesReview", "selfsubjectrulesreviews"),
    Row::review("authorization.k8s.io", "v1", "SubjectAccessReview", "subjectaccessreviews"),
    Row::cluster("certificates.k8s.io", "v1", "CertificateSigningRequest", "certificatesigningrequests")
        .short(&["csr"])
        .subs(&[Sub::part("approval", PART_VERBS), Sub::STATUS]),
    Row::cluster("rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles"),
    Row::cluster("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings"),
    Row::namespaced("rbac.authorization.k8s.io", "v1", "Role", "roles"),
    Row::namespaced("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings"),
    Row::namespaced("coordination.k8s.io", "v1", "Lease", "leases"),
];
