//! Client certificates: the seed's procedure with openssl, and bad ones.

use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use eksile_pki::{Authority, KeyPair};
use jiff::SignedDuration;

use crate::http::{Kept, send};
use crate::kubectl::Kubectl;
use crate::plane::Plane;

const NODES: &str = "/api/v1/nodes";

fn request(folder: &Path, subject: &str) -> (String, String) {
    let (key, csr) = (folder.join("admin.key"), folder.join("admin.csr"));
    let status = Command::new("openssl")
        .args(["req", "-new", "-newkey", "rsa:2048", "-nodes", "-days", "365", "-subj", subject])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&csr)
        .stderr(std::process::Stdio::null())
        .status()
        .expect("openssl must be on PATH");
    assert!(status.success());
    (std::fs::read_to_string(key).unwrap(), STANDARD.encode(std::fs::read(csr).unwrap()))
}

fn object(name: &str, request: &str) -> String {
    format!(
        "apiVersion: certificates.k8s.io/v1\nkind: CertificateSigningRequest\nmetadata: {{name: {name}}}\nspec:\n  request: {request}\n  \
         signerName: kubernetes.io/kube-apiserver-client\n  usages: [client auth]\n"
    )
}

#[test]
fn an_approved_request_becomes_a_user() {
    let plane = Plane::start();
    let kubectl = Kubectl::new(&plane, "admin-token");
    let (key_pem, csr) = request(plane.folder.path(), "/CN=admin2");
    kubectl.run(&["apply", "-f", "-"], &object("admin-csr", &csr)).unwrap();
    assert!(kubectl.ok(&["get", "csr", "admin-csr", "--no-headers"]).contains("Pending"));
    kubectl.ok(&["certificate", "approve", "admin-csr"]);
    kubectl.ok(&["wait", "csr/admin-csr", "--for=jsonpath={.status.certificate}", "--timeout=30s"]);
    assert!(kubectl.ok(&["get", "csr", "admin-csr", "--no-headers"]).contains("Approved,Issued"));
    let encoded = kubectl.ok(&["get", "csr", "admin-csr", "-o", "jsonpath={.status.certificate}"]);
    let cert_pem = String::from_utf8(STANDARD.decode(encoded).unwrap()).unwrap();
    let pair = KeyPair { cert_pem, key_pem };
    assert_eq!(send(&plane, "GET", NODES, None, &[], Some(&pair)).0, 403);
    kubectl.ok(&["create", "clusterrolebinding", "admin", "--clusterrole=cluster-admin", "--user=admin2"]);
    assert_eq!(send(&plane, "GET", NODES, None, &[], Some(&pair)).0, 200);
}

#[test]
fn masters_are_not_to_be_had() {
    let plane = Plane::start();
    let kubectl = Kubectl::new(&plane, "admin-token");
    let (_, csr) = request(plane.folder.path(), "/O=dev/O=system:masters/CN=x");
    let refused = kubectl.run(&["apply", "-f", "-"], &object("x", &csr)).unwrap_err();
    assert!(refused.contains("with system:masters group is not allowed"), "{refused}");
}

#[test]
fn bad_certificates_are_unauthorized() {
    let plane = Plane::start();
    let hour = SignedDuration::from_hours(1);
    let foreign = Authority::create("kubernetes", 1).unwrap();
    let own = Authority::load(&plane.folder.path().join("pki")).unwrap();
    let ask = |pair: &KeyPair| send(&plane, "GET", NODES, None, &[], Some(pair)).0;
    assert_eq!(ask(&own.issue_client("x", &["system:masters"], hour).unwrap()), 200);
    assert_eq!(ask(&foreign.issue_client("x", &["system:masters"], hour).unwrap()), 401);
    assert_eq!(ask(&own.issue_client("x", &["system:masters"], SignedDuration::from_secs(-1)).unwrap()), 401);
    let server = own.issue_server(&[eksile_pki::SanName::Dns("x".into())], hour).unwrap();
    assert_eq!(ask(&server), 401);
}

#[test]
fn a_certificate_that_ends_ends_in_the_connections_that_it_opened() {
    let plane = Plane::start();
    let own = Authority::load(&plane.folder.path().join("pki")).unwrap();
    let pair = own.issue_client("x", &["system:masters"], SignedDuration::from_secs(3)).unwrap();
    let mut kept = Kept::new(&plane, &pair);
    assert_eq!(kept.get(NODES), 200);
    std::thread::sleep(std::time::Duration::from_millis(4500));
    assert_eq!(kept.get(NODES), 401);
    assert_eq!(Kept::new(&plane, &pair).get(NODES), 401);
}

/// As kube-apiserver 1.33.0 was seen to answer.
#[test]
fn a_certificate_that_holds_goes_before_a_token() {
    let plane = Plane::start();
    let hour = SignedDuration::from_hours(1);
    let own = Authority::load(&plane.folder.path().join("pki")).unwrap();
    let ask = |pair: &KeyPair, token| send(&plane, "GET", NODES, token, &[], Some(pair)).0;
    let named = own.issue_client("x", &["system:masters"], hour).unwrap();
    assert_eq!(ask(&named, Some("garbage")), 200);
    let foreign = Authority::create("kubernetes", 1).unwrap().issue_client("x", &["system:masters"], hour).unwrap();
    assert_eq!(ask(&foreign, Some("admin-token")), 200);
    assert_eq!(ask(&foreign, Some("garbage")), 401);
    let nameless = own.issue_client("", &["system:masters"], hour).unwrap();
    assert_eq!(ask(&nameless, None), 403, "a certificate without a common name is nobody's");
    assert_eq!(ask(&nameless, Some("garbage")), 401);
    assert_eq!(ask(&nameless, Some("admin-token")), 200);
}
