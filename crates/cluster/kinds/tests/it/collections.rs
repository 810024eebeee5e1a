//! What a DELETE of a collection removes, and what stays.

use eksile_kube::Caller;
use http::Method;
use serde_json::Value;

use crate::world::World;

const CHOSEN: &str = "/api/v1/namespaces/a/configmaps?labelSelector=go=yes";

fn key(name: &str) -> String {
    format!("/registry/configmaps/a/{name}")
}

fn text(name: &str, uid: &str, go: &str) -> String {
    format!(
        "{{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"metadata\":{{\"name\":\"{name}\",\"namespace\":\"a\",\"uid\":\"{uid}\",\
         \"resourceVersion\":\"1\",\"creationTimestamp\":\"2024-01-01T00:00:00Z\",\"labels\":{{\"go\":\"{go}\"}}}}}}"
    )
}

/// Whoever changes an object while its collection is deleted has the last word on whether it is one of those selected.
#[tokio::test]
async fn what_is_not_selected_any_more_or_is_another_by_now_is_not_deleted() {
    let (world, admin) = (World::new().await, Caller::system("test"));
    for name in ["c1", "c2", "c3", "c4"] {
        world.store(&key(name), &text(name, name, "yes")).await;
    }
    let deletion = world.send(&admin, &Method::DELETE, CHOSEN, &Value::Null, false);
    let (kept, another) = (key("c3"), key("c4"));
    let (unselected, anew) = (text("c3", "c3", "no"), text("c4", "other", "yes"));
    let changes = async {
        world.store(&kept, &unselected).await;
        world.store(&another, &anew).await;
    };
    let (done, ()) = tokio::join!(deletion, changes);
    assert_eq!(done.code, 200);
    assert!(!world.has(&key("c1")) && !world.has(&key("c2")));
    assert!(world.has(&kept), "it is not selected any more");
    assert!(world.has(&another), "it is another by now");
}

#[tokio::test]
async fn an_object_that_cannot_be_read_keeps_no_other_of_its_collection() {
    let (world, admin) = (World::new().await, Caller::system("test"));
    world.store(&key("a"), "{\"kind\":\"ConfigMap\",nonsense}").await;
    let done = world.send(&admin, &Method::DELETE, "/api/v1/namespaces/a/configmaps", &Value::Null, false).await;
    assert_eq!(done.code, 500, "it is told");
    assert!(world.has(&key("a")) && ["one", "one-more", "two"].iter().all(|name| !world.has(&key(name))));
}
