//! Writes that must not pass, whatever the store holds. The many that are judged by labels alone are in `tests/oracle`.

use eksile_kube::call::Warnings;
use eksile_kube::{Resource, Row, User};
use eksile_store::Store;
use serde_json::json;

use super::*;

const LABEL: &str = "pod-security.kubernetes.io/enforce";
const WARN: &str = "pod-security.kubernetes.io/warn";

async fn store(objects: &[(&str, &str)]) -> Store {
    let store = Store::in_memory();
    let put = store.write(|txn| {
        for (key, value) in objects {
            txn.put(key, bytes::Bytes::copy_from_slice(value.as_bytes()));
        }
        Ok::<_, std::convert::Infallible>(())
    });
    put.await.expect("stored");
    store
}

fn row(group: &'static str, kind: &'static str, plural: &'static str) -> Resource {
    Resource::from_row(&Row::namespaced(group, "v1", kind, plural))
}

/// The code of the answer (200 when it passes), its message, and the warnings.
async fn judged(
    store: &Store,
    resource: &Resource,
    sub: &str,
    object: &Value,
    old: Option<&Value>,
) -> (u16, String, Vec<String>) {
    let (warnings, user) = (Warnings::default(), User::default());
    let (namespace, name) = ("n", "x");
    let write = Write { resource, sub, namespace, name, user: &user, object, old, store, warnings: &warnings };
    let (code, message) = match PodSecurity.validate(&write).await {
        Ok(()) => (200, String::new()),
        Err(error) => (error.code(), error.to_string()),
    };
    (code, message, warnings.take())
}

fn privileged() -> Value {
    json!({ "metadata": { "name": "x" }, "spec": { "hostPID": true, "containers": [{ "name": "a", "image": "b" }] } })
}

#[tokio::test]
async fn a_namespace_that_cannot_be_read_is_not_privileged() {
    let pods = row("", "Pod", "pods");
    let kept = json!({ "metadata": {}, "spec": {} });
    let unreadable = [
        "",
        "{",
        "[]",
        "{}",
        r#"{"metadata":[]}"#,
        r#"{"metadata":{"labels":{"a":1}}}"#,
        r#"{"metadata":{"labels":["a"]}}"#,
    ];
    for bytes in unreadable {
        let store = store(&[("/registry/namespaces/n", bytes)]).await;
        for pod in [&privileged(), &kept] {
            let (code, message, _) = judged(&store, &pods, "", pod, None).await;
            let wanted = "Internal error occurred: failed to lookup namespace \"n\"";
            assert_eq!((code, message.as_str()), (500, wanted), "{bytes}");
        }
    }
    let (code, ..) = judged(&store(&[]).await, &pods, "", &kept, None).await;
    assert_eq!(code, 500, "no namespace");
}

#[tokio::test]
async fn stored_labels_that_cannot_be_understood_are_restricted() {
    let pods = row("", "Pod", "pods");
    for odd in ["", "Privileged", "none"] {
        let namespace = json!({ "metadata": { "labels": { LABEL: odd } } }).to_string();
        let store = store(&[("/registry/namespaces/n", &namespace)]).await;
        let (code, message, _) = judged(&store, &pods, "", &privileged(), None).await;
        assert_eq!(code, 403, "{odd:?}");
        assert!(
            message.starts_with("pods \"x\" is forbidden: violates PodSecurity \"restricted:latest\": "),
            "{message}"
        );
    }
}

#[tokio::test]
async fn subresources_nobody_knows_are_judged() {
    let namespace = json!({ "metadata": { "labels": { LABEL: "baseline" } } }).to_string();
    let store = store(&[("/registry/namespaces/n", &namespace)]).await;
    let pods = row("", "Pod", "pods");
    let mut old = privileged();
    old["spec"]["containers"][0]["image"] = "a".into();
    for sub in ["", "ephemeralcontainers", "resize", "anything"] {
        assert_eq!(judged(&store, &pods, sub, &privileged(), Some(&old)).await.0, 403, "{sub}");
    }
    for sub in IGNORED {
        assert_eq!(judged(&store, &pods, sub, &privileged(), Some(&old)).await.0, 200, "{sub}");
    }
}

#[tokio::test]
async fn a_change_of_containers_is_judged_again() {
    let namespace = json!({ "metadata": { "labels": { LABEL: "baseline" } } }).to_string();
    let store = store(&[("/registry/namespaces/n", &namespace)]).await;
    let pods = row("", "Pod", "pods");
    let with = |list: &str, containers: Value| {
        let mut pod = privileged();
        pod["spec"][list] = containers;
        pod
    };
    let one = json!([{ "name": "a", "image": "b" }]);
    let other_image = json!([{ "name": "a", "image": "c" }]);
    let other_name = json!([{ "name": "z", "image": "b" }]);
    let two = json!([{ "name": "a", "image": "b" }, { "name": "b", "image": "b" }]);
    for list in ["containers", "initContainers", "ephemeralContainers"] {
        let old = with(list, one.clone());
        let mut codes = Vec::new();
        for new in [&one, &other_image, &two, &other_name] {
            codes.push(judged(&store, &pods, "", &with(list, new.clone()), Some(&old)).await.0);
        }
        // Of ephemeral ones only the name tells whether one is new; names of others never change.
        let renamed = if list == "ephemeralContainers" { 403 } else { 200 };
        assert_eq!(codes, [200, 403, 403, renamed], "{list}");
    }
}

#[tokio::test]
async fn templates_are_warned_of_and_never_refused() {
    let namespace = json!({ "metadata": { "labels": { LABEL: "baseline" } } }).to_string();
    let strict = store(&[("/registry/namespaces/n", &namespace)]).await;
    let namespace = json!({ "metadata": { "labels": { LABEL: "baseline", WARN: "privileged" } } }).to_string();
    let silent = store(&[("/registry/namespaces/n", &namespace)]).await;
    for (group, plural, at) in TEMPLATES {
        let object =
            at.rsplit('/').filter(|part| !part.is_empty()).fold(privileged(), |inner, part| json!({ part: inner }));
        let kind = row(group, "X", plural);
        let warned = vec!["would violate PodSecurity \"baseline:latest\": host namespaces (hostPID=true)".to_owned()];
        assert_eq!(judged(&strict, &kind, "", &object, None).await, (200, String::new(), warned), "{plural}");
        assert_eq!(judged(&strict, &kind, "status", &object, None).await.2.len(), 0, "{plural}/status");
        assert_eq!(judged(&silent, &kind, "", &object, None).await.2.len(), 0, "{plural}");
        assert_eq!(judged(&strict, &kind, "", &json!({}), None).await.0, 200, "{plural}");
    }
}

/// A kind that holds pods is judged as soon as there is such a kind.
#[test]
fn every_kind_with_pods_is_known() {
    for row in eksile_kinds::table::ROWS {
        let schema = Resource::from_row(row).schema.to_string();
        let named = [
            "ReplicationController",
            "PodTemplate",
            "ReplicaSet",
            "Deployment",
            "StatefulSet",
            "DaemonSet",
            "Job",
            "CronJob",
        ];
        let known = TEMPLATES.iter().any(|(group, plural, _)| *group == row.group && *plural == row.plural);
        assert_eq!(named.contains(&row.kind), known, "{schema}");
    }
}
