//! Rights that are narrower than a collection, met by every path that leads to it.

use std::collections::BTreeSet;
use std::sync::Arc;

use eksile_kube::Caller;
use http::Method;
use serde_json::{Value, json};

use crate::world::{World, caller};

const RBAC: &str = "/registry/rbac.authorization.k8s.io";

/// A world in which `narrow` has these rules in namespace `a`.
async fn world(rules: &Value) -> (World, Arc<Caller>) {
    let world = World::new().await;
    let group = "rbac.authorization.k8s.io";
    let role = json!({ "metadata": { "name": "n", "namespace": "a" }, "rules": rules });
    let binding = json!({
        "metadata": { "name": "n", "namespace": "a" }, "roleRef": { "apiGroup": group, "kind": "Role", "name": "n" },
        "subjects": [{ "apiGroup": group, "kind": "User", "name": "narrow" }]
    });
    world.put(&format!("{RBAC}/roles/a/n"), &role).await;
    world.put(&format!("{RBAC}/rolebindings/a/n"), &binding).await;
    (world, caller("narrow", &[]))
}

fn keys(list: &[&str]) -> BTreeSet<String> {
    list.iter().map(|key| format!("/registry/{key}")).collect()
}

#[tokio::test]
async fn a_right_to_one_object_shows_one_object() {
    let rules = json!([{ "apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["one"], "verbs": ["get", "list", "watch"] }]);
    let (world, narrow) = world(&rules).await;
    for target in [
        "/api/v1/namespaces/a/configmaps/one",
        "/api/v1/watch/namespaces/a/configmaps/one",
        "/api/v1/watch/namespaces/a/configmaps/one?labelSelector=%21x",
        "/api/v1/namespaces/a/configmaps?fieldSelector=metadata.name%3Done",
        "/api/v1/namespaces/a/configmaps?watch=1&fieldSelector=metadata.name%3Done",
    ] {
        let done = world.send(&narrow, &Method::GET, target, &Value::Null, true).await;
        assert_eq!((done.code, done.read), (200, keys(&["configmaps/a/one"])), "{target}");
    }
    for target in [
        "/api/v1/namespaces/a/configmaps",
        "/api/v1/watch/namespaces/a/configmaps",
        "/api/v1/watch/namespaces/a/configmaps?fieldSelector=metadata.name%3Done",
        "/api/v1/watch/namespaces/a/configmaps/two",
        "/api/v1/namespaces/a/configmaps?fieldSelector=metadata.name%3Dtwo",
        "/api/v1/configmaps?fieldSelector=metadata.name%3Done",
        "/api/v1/namespaces/b/configmaps/one",
    ] {
        let done = world.send(&narrow, &Method::GET, target, &Value::Null, true).await;
        assert_eq!((done.code, done.read.len()), (403, 0), "{target}");
    }
}

#[tokio::test]
async fn only_get_watches() {
    let rules = json!([{ "apiGroups": [""], "resources": ["*"], "verbs": ["*"] }]);
    let (world, narrow) = world(&rules).await;
    for method in [Method::DELETE, Method::PUT, Method::PATCH, Method::POST, Method::HEAD] {
        for target in ["/api/v1/watch/namespaces/a/configmaps", "/api/v1/watch/namespaces/a/configmaps/one"] {
            let done = world.send(&narrow, &method, target, &json!({}), true).await;
            assert_eq!((done.code, done.written.len()), (405, 0), "{method} {target}");
        }
    }
}

#[tokio::test]
async fn a_namespaces_admin_does_not_reach_other_namespaces_by_its_path() {
    let rules = json!([{ "apiGroups": [""], "resources": ["*"], "verbs": ["*"] }]);
    let (world, narrow) = world(&rules).await;
    for (method, target) in [
        (Method::GET, "/api/v1/namespaces/a/namespaces/b"),
        (Method::GET, "/api/v1/namespaces/a/namespaces"),
        (Method::DELETE, "/api/v1/namespaces/a/namespaces/b"),
        (Method::PUT, "/api/v1/namespaces/a/namespaces/b/finalize"),
        (Method::GET, "/api/v1/namespaces/a/nodes/one"),
    ] {
        let done = world.send(&narrow, &method, target, &json!({}), true).await;
        assert_eq!((done.code, done.read.len(), done.written.len()), (404, 0, 0), "{method} {target}");
    }
}

#[tokio::test]
async fn a_stream_is_opened_to_a_pod_by_a_pods_own_path_alone() {
    let world = World::new().await;
    let stream = |method: &Method, target: &str| {
        let at = world.locate(method, target).unwrap();
        world.door.stream(&at).is_some()
    };
    for sub in ["exec", "attach", "portforward"] {
        let path = format!("/api/v1/namespaces/a/pods/one/{sub}");
        assert!(stream(&Method::GET, &path) && stream(&Method::POST, &path), "{path}");
        for other in [Method::DELETE, Method::PUT, Method::PATCH, Method::HEAD, Method::OPTIONS] {
            assert!(!stream(&other, &path), "{other} {path}");
        }
        for path in [
            format!("/apis/example.com/v1/namespaces/a/pods/one/{sub}"),
            format!("/api/v1/namespaces/a/configmaps/one/{sub}"),
            format!("/api/v1/watch/namespaces/a/pods/one/{sub}"),
            format!("/api/v1/proxy/namespaces/a/pods/one/{sub}"),
            format!("/api/v1/namespaces/a/pods/one/{sub}/x"),
            format!("//api/v1/namespaces/a/pods/one/{sub}"),
            format!("/api/v2/namespaces/a/pods/one/{sub}"),
            format!("/api/v1/pods/one/{sub}"),
        ] {
            assert!(!stream(&Method::POST, &path), "{path}");
        }
    }
}
