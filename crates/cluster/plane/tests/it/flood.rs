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

#[test]
fn one_damaged_object_stops_nobody_else() {
    let plane = Plane::with(|folder, config| {
        config["controllers"] = json!(true);
        let path = folder.join("store.db");
        let store = eksile_store::Store::open(&path, eksile_store::Options::default()).unwrap();
        let damage = store.write(|txn| {
            for key in ["namespaces/bad", "clusterroles/bad", "nodes/bad", "pods/default/bad"] {
                txn.put(&format!("/registry/{key}"), r#"{"kind":"Namespace","meta"#);
            }
            txn.put("/registry/rbac.authorization.k8s.io/clusterroles/bad", "garbage");
            Ok::<_, ()>(())
        });
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(damage).unwrap();
    });
    let body = json!({"metadata": {"name": "good"}}).to_string();
    assert_eq!(send(&plane, "POST", "/api/v1/namespaces", TOKEN, body.as_bytes(), None).0, 201);
    let begun = std::time::Instant::now();
    while send(&plane, "GET", "/api/v1/namespaces/good/serviceaccounts/default", TOKEN, &[], None).0 != 200 {
        assert!(begun.elapsed() < std::time::Duration::from_secs(60), "no default ServiceAccount");
    }
    let (code, list) = send(&plane, "GET", "/api/v1/namespaces", TOKEN, &[], None);
    assert_eq!(code, 200);
    assert!(list.contains("\"good\"") && !list.contains("\"meta}"), "{list}");
    assert_eq!(send(&plane, "GET", "/api/v1/namespaces/bad", TOKEN, &[], None).0, 500);
}

/// Megabytes of memory of this process.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

/// The slowest but a tenth (a hundredth, in the long form) of some requests.
fn slowest(plane: &Plane, count: usize, share: usize) -> std::time::Duration {
    let mut times: Vec<_> = (0..count)
        .map(|_| {
            let begun = std::time::Instant::now();
            assert_eq!(send(plane, "GET", "/api/v1/namespaces/default", TOKEN, &[], None).0, 200);
            begun.elapsed()
        })
        .collect();
    times.sort();
    times[count - 1 - count / share]
}

/// What a flood does until it is told to end.
fn flood(plane: &Plane, kind: usize, done: &AtomicBool) {
    let maps = "/api/v1/namespaces/default/configmaps";
    let deep = format!("a: {}", "{b: ".repeat(5000));
    let small = format!("{{\"metadata\":{{\"finalizers\":[{}{{}}]}}}}", "{},".repeat(200_000));
    let nodes = format!("a: [{}x]", "x, ".repeat(300_000));
    while !done.load(Ordering::Relaxed) {
        let answer = match kind {
            0 => http::patch(plane, &format!("{maps}/x"), "application/apply-patch+yaml", deep.as_bytes()),
            1 => http::patch(plane, &format!("{maps}/x"), "application/apply-patch+yaml", nodes.as_bytes()),
            2 => send(plane, "POST", maps, TOKEN, small.as_bytes(), None),
            3 => http::drip(plane, maps, done),
            _ => http::follow(plane, maps, done),
        };
        assert!(answer.0 < 500, "{kind}: {}", answer.1);
    }
}

#[test]
fn a_calm_client_stays_calm_in_a_flood() {
    let long = std::env::var("EKSILE_ATTACK").is_ok_and(|length| length == "long");
    // The short form runs beside other tests, on machines with other work.
    let (count, share, most) = if long { (1000, 100, 5.0) } else { (60, 10, 25.0) };
    let plane = Plane::start();
    slowest(&plane, 10, 10);
    let calm = slowest(&plane, count, share);
    let silent: Vec<_> = (0..300).map(|_| std::net::TcpStream::connect(plane.ready.listeners[0]).unwrap()).collect();
    let done = AtomicBool::new(false);
    let flooded = std::thread::scope(|scope| {
        for kind in [0, 1, 2, 3, 3, 3, 3, 4, 4, 4, 4] {
            let (plane, done) = (&plane, &done);
            scope.spawn(move || flood(plane, kind, done));
        }
        let flooded = slowest(&plane, count, share);
        done.store(true, Ordering::Relaxed);
        flooded
    });
    drop(silent);
    let ratio = flooded.as_secs_f64() / calm.as_secs_f64();
    println!("calm {calm:?}, in the flood {flooded:?}: {ratio:.1} times; {} MB", resident());
    assert!(ratio < most, "calm {calm:?}, in the flood {flooded:?}");
    assert!(resident() < 2048, "{} MB", resident());
}
