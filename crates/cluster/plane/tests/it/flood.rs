//! Requests that are large, or many, or never end, and what others notice of them.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::http::{self, send};
use crate::plane::Plane;

const TOKEN: Option<&str> = Some("admin-token");

fn large() -> Vec<(&'static str, &'static str, Value)> {
    let ports: Vec<Value> = (0..20_000).map(|n| json!({"name": format!("p{n}"), "port": 1 + n % 60_000})).collect();
    let owners: Vec<Value> = (0..20_000)
        .map(|n| json!({"apiVersion": "v1", "kind": "Pod", "name": format!("o{n}"), "uid": format!("u{n}")}))
        .collect();
    let env: Vec<Value> = (0..20_000).map(|n| json!({"name": format!("V{n}"), "value": "x"})).collect();
    let map = json!({"metadata": {"generateName": "m-", "ownerReferences": owners}});
    let usages: Vec<Value> = (0..20_000).map(|n| json!(format!("no usage {n}"))).collect();
    vec![
        ("POST", "/api/v1/namespaces/default/services", json!({"metadata": {"name": "s"}, "spec": {"ports": ports}})),
        ("POST", "/api/v1/namespaces/default/configmaps", map.clone()),
        ("POST", "/api/v1/namespaces/default/configmaps", map),
        (
            "POST",
            "/api/v1/namespaces/default/pods",
            json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i", "env": env}]}}),
        ),
        (
            "POST",
            "/apis/certificates.k8s.io/v1/certificatesigningrequests",
            json!({"metadata": {"name": "c"}, "spec": {"request": "", "signerName": "a.b/c", "usages": usages}}),
        ),
    ]
}

#[test]
fn large_lists_are_answered_and_others_are_served_meanwhile() {
    let plane = Plane::start();
    let done = AtomicBool::new(false);
    let served = std::thread::scope(|scope| {
        let plane = &plane;
        let requests = large().into_iter().map(|(method, path, body)| {
            scope.spawn(move || send(plane, method, path, TOKEN, body.to_string().as_bytes(), None))
        });
        let requests: Vec<_> = requests.collect();
        let calm = scope.spawn(|| {
            let mut served = 0;
            while !done.load(Ordering::Relaxed) {
                assert_eq!(send(plane, "GET", "/livez", None, &[], None).0, 200);
                served += 1;
            }
            served
        });
        for request in requests {
            let (code, body) = request.join().unwrap();
            assert!(matches!(code, 201 | 422 | 500), "{code}: {}", &body[..body.len().min(300)]);
            assert!(body.len() < 4 << 20, "a refusal of {} bytes", body.len());
        }
        done.store(true, Ordering::Relaxed);
        calm.join().unwrap()
    });
    assert!(served >= 3, "only {served} answers while five large requests were worked at");
}

#[test]
fn silent_connections_keep_nobody_out() {
    let plane = Plane::start();
    let address = plane.ready.listeners[0];
    let silent: Vec<_> = (0..300).map(|_| std::net::TcpStream::connect(address).unwrap()).collect();
    assert_eq!(send(&plane, "GET", "/livez", None, &[], None).0, 200);
    drop(silent);
}

#[test]
fn what_a_small_patch_makes_is_bounded() {
    let plane = Plane::start();
    let maps = "/api/v1/namespaces/default/configmaps";
    let body = json!({"metadata": {"name": "a", "annotations": {"k": "x".repeat(1000)}}});
    assert_eq!(send(&plane, "POST", maps, TOKEN, body.to_string().as_bytes(), None).0, 201);
    let doubling: Vec<Value> = (0..18)
        .map(|n| json!({"op": "copy", "from": "/metadata", "path": format!("/metadata/annotations/n{n}")}))
        .collect();
    let patch = Value::Array(doubling).to_string();
    let (code, body) = http::patch(&plane, &format!("{maps}/a"), "application/json-patch+json", patch.as_bytes());
    assert_eq!(code, 422, "{body}");
}

#[test]
fn an_object_does_not_grow_beyond_its_limit_by_small_changes() {
    let plane = Plane::start();
    let maps = "/api/v1/namespaces/default/secrets";
    let body = json!({"metadata": {"name": "a"}});
    assert_eq!(send(&plane, "POST", maps, TOKEN, body.to_string().as_bytes(), None).0, 201);
    let grow = |round: usize| {
        let owners: Vec<Value> = (0..8000)
            .map(|n| json!({"apiVersion": "v1", "kind": "Pod", "name": format!("o{round}-{n}"), "uid": format!("u{round}-{n}")}))
            .collect();
        let patch = json!({"metadata": {"ownerReferences": owners}}).to_string();
        http::patch(&plane, &format!("{maps}/a"), "application/strategic-merge-patch+json", patch.as_bytes())
    };
    let (code, body) = (0..12).map(grow).find(|(code, _)| *code != 200).expect("it is refused in the end");
    assert_eq!(code, 500);
    assert!(body.contains("etcdserver: request is too large"), "{body}");
    assert_eq!(send(&plane, "GET", &format!("{maps}/a"), TOKEN, &[], None).0, 200);
}
