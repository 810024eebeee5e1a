//! IAM tokens against a double of the Region's STS: TLS, and an answer only when the request is the token's.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use eksile_pki::{Authority, SanName};
use jiff::SignedDuration;
use serde_json::json;

use crate::http::send;
use crate::kubectl::Kubectl;
use crate::plane::Plane;

const CLUSTER: &str = "11111111-2222-4333-8444-555555555555";
const HOST: &str = "sts.us-west-2.amazonaws.com";

/// Knows one signature, of one cluster: anything else is 403, as a wrong signature is.
fn sts(authority: &Authority) -> SocketAddr {
    let names = [SanName::Dns(HOST.to_owned())];
    let pair = authority.issue_server(&names, SignedDuration::from_hours(1)).unwrap();
    let config = Arc::new(eksile_pki::server_config(&pair, None, &["http/1.1"]).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = rustls::ServerConnection::new(config.clone()).unwrap();
            let mut stream = rustls::StreamOwned::new(connection, stream.unwrap());
            let mut head = Vec::new();
            let mut byte = [0; 1];
            while !head.ends_with(b"\r\n\r\n") && stream.read_exact(&mut byte).is_ok() {
                head.push(byte[0]);
            }
            let head = String::from_utf8_lossy(&head).to_lowercase();
            let good = head.contains(&format!("x-k8s-aws-id: {CLUSTER}"))
                && head.contains(&format!("host: {HOST}"))
                && head.contains("x-amz-signature=a11ce");
            let body = json!({"GetCallerIdentityResponse": {"GetCallerIdentityResult": {
                "Arn": "arn:aws:iam::111122223333:user/alice", "Account": "111122223333", "UserId": "AIDAALICE"
            }}});
            let (code, body) =
                if good { ("200 OK", body.to_string()) } else { ("403 Forbidden", "SignatureDoesNotMatch".into()) };
            let _ =
                write!(stream, "HTTP/1.1 {code}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len());
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

#[test]
fn the_creator_comes_in_with_an_iam_token() {
    let authority = Authority::create("web", 1).unwrap();
    let address = sts(&authority);
    let plane = Plane::with(|folder, config| {
        std::fs::write(folder.join("sts-ca.pem"), authority.pem()).unwrap();
        let access = json!({
            "mode": "CONFIG_MAP",
            "creator": { "arn": "arn:aws:iam::111122223333:user/alice", "principal_id": "AIDAALICE" }
        });
        std::fs::write(folder.join("access.json"), access.to_string()).unwrap();
        config["iam"] = json!({
            "sts_address": address, "sts_ca": folder.join("sts-ca.pem"), "cluster_identifier": CLUSTER,
            "access_file": folder.join("access.json")
        });
    });
    let path = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
    let (code, body) = send(&plane, "POST", path, Some(&token("a11ce")), b"{}", None);
    assert_eq!(code, 201, "{body}");
    assert!(body.contains("\"username\":\"kubernetes-admin\"") && body.contains("system:masters"), "{body}");
    assert_eq!(send(&plane, "POST", path, Some(&token("bad")), b"{}", None).0, 401);
    assert_eq!(send(&plane, "POST", path, Some("k8s-aws-v1.garbage"), b"{}", None).0, 401);
}

#[test]
fn a_node_whose_instance_is_no_more_is_removed() {
    let authority = Authority::create("web", 1).unwrap();
    let plane = Plane::with(|folder, config| {
        std::fs::write(folder.join("sts-ca.pem"), authority.pem()).unwrap();
        let access = json!({"mode": "API", "creator": null, "instances": {"i-0000000000000000a": "kept"}});
        std::fs::write(folder.join("access.json"), access.to_string()).unwrap();
        config["iam"] = json!({
            "sts_address": "127.0.0.1:9", "sts_ca": folder.join("sts-ca.pem"), "cluster_identifier": CLUSTER,
            "access_file": folder.join("access.json")
        });
    });
    let kubectl = Kubectl::new(&plane, "admin-token");
    let node = |name: &str, instance: &str| {
        format!(
            "{{apiVersion: v1, kind: Node, metadata: {{name: {name}}}, spec: {{providerID: 'aws:///us-west-2a/{instance}'}}, \
             status: {{conditions: [{{type: Ready, status: Unknown}}]}}}}\n---\n"
        )
    };
    let nodes = node("kept", "i-0000000000000000a") + &node("lost", "i-0000000000000000b");
    kubectl.run(&["apply", "-f", "-"], &nodes).unwrap();
    kubectl.ok(&["wait", "--for=delete", "node/lost", "--timeout=60s"]);
    assert_eq!(kubectl.ok(&["get", "nodes", "-o", "name"]).trim(), "node/kept");
    let why =
        kubectl.ok(&["get", "events", "--field-selector", "reason=DeletingNode", "-o", "jsonpath={.items[*].message}"]);
    assert_eq!(why, "Deleting node lost because it does not exist in the cloud provider");
}
