//! A whole control plane on loopback, spoken to by kubectl, openssl and raw sockets.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod certificates;
mod flood;
mod http;
mod iam;
mod kubectl;
mod node_identity;
mod plane;
mod roles;

use plane::Plane;

#[test]
fn bad_input_gets_an_answer_and_harms_nobody() {
    let plane = Plane::start();
    http::garbage(&plane, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 this is no hello");
    http::garbage(&plane, &[0xff; 4096]);
    http::garbage(&plane, b"GET / HTTP/1.1\r\n\r\n");
    let post = |path: &str, body: Vec<u8>| http::send(&plane, "POST", path, Some("admin-token"), &body, None);
    let maps = "/api/v1/namespaces/default/configmaps";
    assert_eq!(post(maps, vec![b'x'; 3 * 1024 * 1024 + 1]).0, 413);
    assert_eq!(post(maps, b"\x00\xffnot json".to_vec()).0, 400);
    let strict = format!("{maps}?fieldValidation=Strict");
    let (code, body) = post(&strict, br#"{"metadata":{"name":"a"},"spec":{"x":1}}"#.to_vec());
    assert_eq!(code, 400);
    assert!(body.contains("strict decoding error: unknown field \\\"spec\\\""), "{body}");
    assert_eq!(http::send(&plane, "GET", "/nowhere", Some("admin-token"), &[], None).0, 404);
    assert_eq!(http::send(&plane, "GET", maps, Some("wrong-token"), &[], None).0, 401);
    assert_eq!(http::send(&plane, "GET", maps, None, &[], None).0, 403);
    assert_eq!(http::send(&plane, "GET", "/readyz", None, &[], None).0, 200);
}
