//! From the credentials of a node's role towards the whole cluster: every step is refused by itself.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use eksile_pki::{Authority, SanName};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::http::send;
use crate::plane::Plane;

const CLUSTER: &str = "11111111-2222-4333-8444-555555555555";
const HOST: &str = "sts.us-west-2.amazonaws.com";
const OWN: &str = "i-0000000000000000a";
const PODS: &str = "/api/v1/namespaces/default/pods";
const REQUESTS: &str = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
const WHO: &str = "/apis/authentication.k8s.io/v1/selfsubjectreviews";

/// Tells callers that they are a session of the nodes' role named after the instance, or who chose their session's name;
/// whom, and of which of them the instance's metadata service gave the credentials out, it says by the signature.
fn sts(authority: &Authority) -> SocketAddr {
    let pair = authority.issue_server(&[SanName::Dns(HOST.to_owned())], SignedDuration::from_hours(1)).unwrap();
    let config = Arc::new(eksile_pki::server_config(&pair, None, &["http/1.1"]).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = rustls::ServerConnection::new(config.clone()).unwrap();
            let mut stream = rustls::StreamOwned::new(connection, stream.unwrap());
            let (mut head, mut byte) = (Vec::new(), [0; 1]);
            while !head.ends_with(b"\r\n\r\n") && stream.read_exact(&mut byte).is_ok() {
                head.push(byte[0]);
            }
            let head = String::from_utf8_lossy(&head).into_owned();
            let source = if head.contains("X-Amz-Signature=given") {
                format!("x-eksile-source-instance: arn:aws:ec2:us-west-2:111122223333:instance/{OWN}\r\n")
            } else {
                String::new()
            };
            let chosen = [("Hybrid", "n-one"), ("Chooser", "system")];
            let chose = chosen.into_iter().find(|(role, _)| head.contains(&format!("X-Amz-Signature={role}")));
            let (role, session) = chose.unwrap_or(("Node", OWN));
            let body = json!({"GetCallerIdentityResponse": {"GetCallerIdentityResult": {
                "Arn": format!("arn:aws:sts::111122223333:assumed-role/{role}/{session}"), "Account": "111122223333",
                "UserId": format!("AROA{}:{session}", role.to_uppercase())
            }}})
            .to_string();
            let length = body.len();
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nConnection: close\r\n{source}Content-Length: {length}\r\n\r\n{body}"
            );
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
    });
    address
}

fn token(signature: &str) -> String {
    let date = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
    let url = format!(
        "https://{HOST}/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AK%2Fx&\
         X-Amz-Date={date}&X-Amz-Expires=60&X-Amz-SignedHeaders=host%3Bx-k8s-aws-id&X-Amz-Signature={signature}"
    );
    format!("k8s-aws-v1.{}", URL_SAFE_NO_PAD.encode(url))
}

fn start() -> Plane {
    let authority = Authority::create("web", 1).unwrap();
    let address = sts(&authority);
    Plane::with(|folder, config| {
        std::fs::write(folder.join("sts-ca.pem"), authority.pem()).unwrap();
        let entry = |role: &str, kind: &str, username: &str, groups: &[&str]| {
            json!({
                "id": format!("c/{role}"), "cluster_id": CLUSTER, "cluster_name": "c",
                "principal_arn": format!("arn:aws:iam::111122223333:role/{role}"),
                "principal_id": format!("AROA{}", role.to_uppercase()), "access_entry_arn": "", "entry_type": kind,
                "username": username, "kubernetes_groups": groups, "created_at": 0, "modified_at": 0, "tags": {}
            })
        };
        let nodes = &["system:bootstrappers", "system:nodes"];
        let entries = [
            entry("Node", "EC2_LINUX", "system:node:{{EC2PrivateDNSName}}", nodes),
            entry("Hybrid", "HYBRID_LINUX", "system:node:{{SessionName}}", nodes),
            entry("Chooser", "STANDARD", "a:{{SessionName}}", &["{{SessionName}}:masters"]),
        ];
        let access = json!({
            "mode": "API", "creator": null, "entries": entries,
            "instances": {OWN: "n-one", "i-0000000000000000b": "n-two"},
            "addresses": {OWN: ["192.0.2.1"], "i-0000000000000000b": ["192.0.2.2"]}
        });
        std::fs::write(folder.join("access.json"), access.to_string()).unwrap();
        let tokens =
            "admin-token,admin,1,\"system:masters\"\nboot-token,system:bootstrap:abcdef,2,\"system:bootstrappers\"\n";
        std::fs::write(folder.join("tokens.csv"), tokens).unwrap();
        config["iam"] = json!({
            "sts_address": address, "sts_ca": folder.join("sts-ca.pem"), "cluster_identifier": CLUSTER,
            "access_file": folder.join("access.json")
        });
    })
}

fn post(plane: &Plane, path: &str, token: &str, body: &Value) -> (u16, Value) {
    ask(plane, "POST", path, token, body)
}

fn ask(plane: &Plane, method: &str, path: &str, token: &str, body: &Value) -> (u16, Value) {
    let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    let (code, answer) = send(plane, method, path, Some(token), &body, None);
    (code, serde_json::from_str(&answer).unwrap_or(Value::Null))
}

fn refused(plane: &Plane, method: &str, path: &str, token: &str, body: &Value) {
    let (code, answer) = ask(plane, method, path, token, body);
    assert_eq!(code, 403, "{method} {path}: {answer}");
}

/// Waits for a condition.
fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::yield_now();
    }
}

fn request(folder: &Path, name: &str, node: &str, signer: &str, names: &str) -> Value {
    let subject = format!("/O=system:nodes/CN=system:node:{node}");
    let mut command = Command::new("openssl");
    command.args([
        "req",
        "-new",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-subj",
        &subject,
    ]);
    command.arg("-keyout").arg(folder.join("key"));
    if !names.is_empty() {
        command.args(["-addext", &format!("subjectAltName={names}")]);
    }
    let made = command.output().expect("openssl must be on PATH");
    assert!(made.status.success());
    let usage = if signer == "kubelet-serving" { "server auth" } else { "client auth" };
    json!({
        "apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": {"name": name},
        "spec": {"request": STANDARD.encode(made.stdout), "signerName": format!("kubernetes.io/{signer}"),
                 "usages": ["digital signature", usage]}
    })
}

fn groups(plane: &Plane, token: &str) -> Vec<String> {
    let (code, answer) = post(plane, WHO, token, &json!({}));
    assert_eq!(code, 201, "{answer}");
    assert_eq!(answer["status"]["userInfo"]["username"], "system:node:n-one");
    serde_json::from_value(answer["status"]["userInfo"]["groups"].clone()).unwrap()
}

#[test]
fn a_session_named_after_an_instance_is_no_node_and_a_node_bootstraps_once() {
    let plane = start();
    assert_eq!(post(&plane, WHO, &token("chosen"), &json!({})).0, 401, "whoever assumes the role chooses the name");
    let first = token("given1");
    assert!(groups(&plane, &first).contains(&"system:bootstrappers".to_owned()));
    let node = json!({"metadata": {"name": "n-one"}, "spec": {"providerID": format!("aws:///us-west-2a/{OWN}")}});
    assert_eq!(post(&plane, "/api/v1/nodes", &first, &node).0, 201);
    let now = groups(&plane, &token("given2"));
    assert!(!now.contains(&"system:bootstrappers".to_owned()) && now.contains(&"system:nodes".to_owned()), "{now:?}");
}

#[test]
fn entries_that_are_stored_let_no_session_choose_who_it_is() {
    let plane = start();
    let (code, answer) = post(&plane, WHO, &token("Hybrid"), &json!({}));
    assert_eq!(code, 401, "a node by its session's name: {answer}");
    let (code, answer) = post(&plane, WHO, &token("Chooser"), &json!({}));
    assert_eq!(code, 401, "system:masters by its session's name: {answer}");
}

#[test]
fn a_node_gets_nothing_of_others() {
    let plane = start();
    let node = token("given1");
    let admin = |path: &str, body: &Value| {
        let (code, answer) = post(&plane, path, "admin-token", body);
        assert_eq!(code, 201, "{path}: {answer}");
        answer
    };
    let taint = json!([{"key": "dedicated", "effect": "NoSchedule"}]);
    let (code, own) =
        post(&plane, "/api/v1/nodes", &node, &json!({"metadata": {"name": "n-one"}, "spec": {"taints": taint}}));
    assert_eq!(code, 201, "{own}");
    admin("/api/v1/nodes", &json!({"metadata": {"name": "n-two"}}));
    admin("/api/v1/namespaces/default/secrets", &json!({"metadata": {"name": "crown"}, "data": {}}));
    admin("/api/v1/namespaces/default/serviceaccounts", &json!({"metadata": {"name": "boss"}}));
    let pod = |name: &str, at: &str| {
        json!({"metadata": {"name": name}, "spec": {"nodeName": at, "serviceAccountName": "boss",
               "containers": [{"name": "c", "image": "i"}]}})
    };
    let foreign = admin(PODS, &pod("foreign", "n-two"));
    // Mirror pods that name what the node then could read, and pods that are no mirrors.
    let mirror = |spec: Value| {
        let mut pod = json!({
            "metadata": {"name": "m", "annotations": {"kubernetes.io/config.mirror": "x"}, "ownerReferences": [
                {"apiVersion": "v1", "kind": "Node", "name": "n-one", "uid": own["metadata"]["uid"], "controller": true}]},
            "spec": {"nodeName": "n-one", "containers": [{"name": "c", "image": "i"}]}
        });
        pod["spec"].as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        pod
    };
    refused(&plane, "POST", PODS, &node, &pod("plain", "n-one"));
    refused(
        &plane,
        "POST",
        PODS,
        &node,
        &mirror(json!({"volumes": [{"name": "v", "secret": {"secretName": "crown"}}]})),
    );
    refused(&plane, "POST", PODS, &node, &mirror(json!({"serviceAccountName": "boss"})));
    refused(&plane, "POST", PODS, &node, &mirror(json!({"imagePullSecrets": [{"name": "crown"}]})));
    assert_eq!(post(&plane, PODS, &node, &mirror(json!({}))).0, 201, "its own static pods it does show");
    refused(&plane, "GET", "/api/v1/namespaces/default/secrets/crown", &node, &Value::Null);
    refused(&plane, "GET", "/api/v1/namespaces/default/secrets", &node, &Value::Null);
    // Tokens.
    let path = "/api/v1/namespaces/default/serviceaccounts/boss/token";
    refused(&plane, "POST", path, &node, &json!({"spec": {"expirationSeconds": 4_294_967_296_i64}}));
    let bound = json!({"kind": "Pod", "apiVersion": "v1", "name": "foreign", "uid": foreign["metadata"]["uid"]});
    refused(&plane, "POST", path, &node, &json!({"spec": {"boundObjectRef": bound}}));
    let long = admin(path, &json!({"spec": {"expirationSeconds": 4_294_967_296_i64}}));
    assert_eq!(long["spec"]["expirationSeconds"], 86_400, "nobody's token outlives a day");
    // Others' pods, and what keeps pods from it.
    let evict = json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "foreign"}});
    refused(&plane, "POST", &format!("{PODS}/foreign/eviction"), &node, &evict);
    refused(&plane, "DELETE", &format!("{PODS}/foreign"), &node, &Value::Null);
    let bare = json!({"metadata": {"name": "n-one"}, "spec": {}});
    refused(&plane, "PUT", "/api/v1/nodes/n-one", &node, &bare);
    refused(&plane, "PUT", "/api/v1/nodes/n-two/status", &node, &json!({"metadata": {"name": "n-two"}}));
}

#[test]
fn certificates_are_in_ones_own_name_for_the_instances_names_and_addresses() {
    let plane = start();
    let (node, folder) = (token("given1"), tempfile::tempdir().unwrap());
    let make = |name: &str, of: &str, signer: &str, names: &str| request(folder.path(), name, of, signer, names);
    let client = "kube-apiserver-client-kubelet";
    // It says of itself that it has the API server's address.
    let liar = json!({"metadata": {"name": "n-one"}, "status": {"addresses": [{"type": "InternalIP", "address": "10.100.0.1"}]}});
    assert_eq!(post(&plane, "/api/v1/nodes", &node, &liar).0, 201);
    refused(&plane, "POST", REQUESTS, &node, &make("two", "n-two", client, ""));
    refused(&plane, "POST", REQUESTS, &node, &make("two", "n-two", "kubelet-serving", "DNS:n-two"));
    for (token, request) in [
        ("boot-token", make("boot", "n-two", client, "")),
        (node.as_str(), make("api", "n-one", "kubelet-serving", "DNS:kubernetes.default.svc,IP:10.100.0.1")),
        (node.as_str(), make("neighbour", "n-one", "kubelet-serving", "DNS:n-one,IP:192.0.2.2")),
        (node.as_str(), make("own", "n-one", client, "")),
        (node.as_str(), make("own-serving", "n-one", "kubelet-serving", "DNS:n-one,IP:192.0.2.1")),
    ] {
        // Whoever only bootstraps may not even ask, unless somebody gives them the right.
        let (code, answer) = post(&plane, REQUESTS, token, &request);
        assert!(code == 201 || token == "boot-token" && code == 403, "{answer}");
    }
    let read = |name: &str| ask(&plane, "GET", &format!("{REQUESTS}/{name}"), "admin-token", &Value::Null).1;
    for name in ["own", "own-serving"] {
        until(name, || read(name)["status"]["certificate"].as_str().map(str::to_owned));
    }
    // All were seen in order: what was asked for earlier has been looked at.
    for name in ["boot", "api", "neighbour"] {
        let status = &read(name)["status"];
        assert!(status.get("certificate").is_none() && status.get("conditions").is_none(), "{name}: {status}");
    }
}
