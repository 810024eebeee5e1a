//! How many pods are looked at, and for how long.

use eksile_store::Store;
use serde_json::json;

use super::*;
use crate::labels::{Level, Version};

const BASELINE: Standard = Standard { level: Level::Baseline, version: Version::Latest };

async fn store(pods: &[(&str, String)]) -> Store {
    let store = Store::in_memory();
    let put = store.write(|txn| {
        for (name, pod) in pods {
            txn.put(&format!("/registry/pods/n/{name}"), bytes::Bytes::copy_from_slice(pod.as_bytes()));
        }
        txn.put("/registry/pods/n-other/x", bytes::Bytes::from(bad("x", "")));
        Ok::<_, std::convert::Infallible>(())
    });
    put.await.expect("stored");
    store
}

fn bad(name: &str, controller: &str) -> String {
    let owners = if controller.is_empty() { json!([]) } else { json!([{ "uid": controller, "controller": true }]) };
    json!({ "metadata": { "name": name, "ownerReferences": owners }, "spec": { "hostPID": true } }).to_string()
}

fn later() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

const HEAD: &str = "existing pods in namespace \"n\" violate the new PodSecurity enforce level \"baseline:latest\"";

#[tokio::test]
async fn pods_with_the_same_against_them_are_told_once() {
    let fine = json!({ "metadata": { "name": "fine" }, "spec": {} }).to_string();
    let store = store(&[("c", bad("c", "")), ("b", bad("b", "u")), ("d", bad("d", "u")), ("fine", fine)]).await;
    let told = judge(store.view(), "n", BASELINE).await;
    assert_eq!(told, [HEAD, "b (and 2 other pods): host namespaces"]);
    assert!(judge(store.view(), "none", BASELINE).await.is_empty());
}

#[tokio::test]
async fn a_pod_of_each_controller_comes_before_its_others() {
    let pods: Vec<(String, String)> = (0..500).map(|n| (format!("a{n:03}"), bad("a", "u"))).collect();
    let mut pods: Vec<(&str, String)> = pods.iter().map(|(name, pod)| (name.as_str(), pod.clone())).collect();
    let other = json!({ "metadata": { "name": "z" }, "spec": { "hostIPC": true, "volumes": [{ "hostPath": {} }] } });
    pods.push(("z", other.to_string()));
    let view = store(&pods).await.view();
    let told = Look::new(BASELINE, later(), 2).all(&view, "n");
    let head = "new PodSecurity enforce level only checked against the first 2 of 501 existing pods";
    assert_eq!(told, [head, HEAD, "a: host namespaces", "z: host namespaces, hostPath volumes"]);
}

#[tokio::test]
async fn the_time_is_bounded_and_what_was_not_looked_at_is_told() {
    let view = store(&[("a", bad("a", "")), ("b", bad("b", ""))]).await.view();
    let told = Look::new(BASELINE, Instant::now(), MOST).all(&view, "n");
    assert_eq!(told, ["new PodSecurity enforce level only checked against the first 0 of 2 existing pods"]);
}

#[tokio::test]
async fn an_unreadable_pod_hides_no_other() {
    let view = store(&[("a", "{".to_owned()), ("b", bad("b", "")), ("c", r#"{"spec":1}"#.to_owned())]).await.view();
    let told = Look::new(BASELINE, later(), MOST).all(&view, "n");
    let head = "new PodSecurity enforce level only checked against the first 1 of 3 existing pods";
    assert_eq!(told, [head, HEAD, "b: host namespaces"]);
}
