//! Requests signed by botocore, as they are and tampered with, straight at the door.

use std::process::Command;

use bytes::Bytes;
use eksile_aws::Vantage;
use eksile_kit::skip;
use http::{Request, Response};
use serde::Deserialize;

use crate::world::{KEY, World};

#[derive(Debug, Clone, Deserialize)]
struct Signed {
    name: String,
    method: String,
    url: String,
    headers: std::collections::BTreeMap<String, String>,
    body: String,
}

impl Signed {
    fn request(&self) -> Request<Bytes> {
        let path = self.url.split_once("//").and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..])).unwrap();
        let mut request = Request::builder().method(&*self.method).uri(path);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if !self.headers.keys().any(|name| name.eq_ignore_ascii_case("host")) {
            request = request.header("host", "127.0.0.1:4566");
        }
        request.body(Bytes::from(hex::decode(&self.body).unwrap())).unwrap()
    }
}

/// What botocore signs for these tests; `None` where there is no botocore.
fn signed() -> Option<Vec<Signed>> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/sign.py");
    let output = Command::new("python3").args([script, "http://127.0.0.1:4566", KEY.0, KEY.1]).output().ok()?;
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(error.contains("No module named"), "{error}");
        return None;
    }
    Some(
        output
            .stdout
            .split(|b| *b == b'\n')
            .filter(|l| !l.is_empty())
            .map(|l| serde_json::from_slice(l).unwrap())
            .collect(),
    )
}

async fn sent(world: &World, request: Request<Bytes>) -> (u16, String) {
    let response: Response<Bytes> = world.door.handle(request, Vantage::host()).await;
    let code = response.headers().get("x-amzn-errortype").map(|code| code.to_str().unwrap().to_owned());
    let body = String::from_utf8(response.body().to_vec()).unwrap();
    (response.status().as_u16(), code.unwrap_or_default() + &body)
}

const DISTRUST: &[&str] = &[
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
    "IncompleteSignature",
    "AuthFailure",
    "MissingAuthentication",
    "InvalidClientTokenId",
    "UnrecognizedClient",
];

fn is_distrusted(answer: &(u16, String)) -> bool {
    answer.0 >= 400 && DISTRUST.iter().any(|code| answer.1.contains(code))
}

#[tokio::test]
async fn botocore_s_signatures_are_believed_and_their_limits_kept() {
    let Some(requests) = signed() else { return skip("signatures", "no botocore for python3") };
    let world = World::start().await;
    assert_eq!(requests.len(), 17);
    for signed in &requests {
        let answer = sent(&world, signed.request()).await;
        let refused = match &*signed.name {
            "post stale" | "presigned 16 minutes" => Some("Signature expired"),
            "post ahead" | "presigned ahead" => Some("Signature not yet current"),
            "presigned too long" => Some("X-Amz-Expires"),
            "other service" => Some("scoped to a service"),
            _ => None,
        };
        match refused {
            Some(text) => assert!(is_distrusted(&answer) && answer.1.contains(text), "{}: {answer:?}", signed.name),
            None => assert!(!is_distrusted(&answer), "{}: {answer:?}", signed.name),
        }
        if matches!(&*signed.name, "post" | "presigned" | "post old" | "presigned 14 minutes" | "odd headers") {
            assert!(answer.0 == 200 && answer.1.contains("user/admin"), "{}: {answer:?}", signed.name);
        }
    }
}

#[tokio::test]
async fn whatever_is_changed_after_signing_is_noticed() {
    let Some(requests) = signed() else { return skip("tampering", "no botocore for python3") };
    let world = World::start().await;
    let good = ["post", "odd headers", "path", "query", "json", "empty delete", "presigned"];
    let mut changes = 0;
    for signed in requests.iter().filter(|signed| good.contains(&&*signed.name)) {
        for (what, changed) in tampered(signed) {
            let answer = sent(&world, changed.request()).await;
            assert!(is_distrusted(&answer), "{} with another {what}: {answer:?}", signed.name);
            changes += 1;
        }
    }
    assert!(changes > 30, "{changes}");
}

fn tampered(signed: &Signed) -> Vec<(String, Signed)> {
    let mut all = Vec::new();
    let mut add = |what: &str, change: &dyn Fn(&mut Signed)| {
        let mut changed = signed.clone();
        change(&mut changed);
        all.push((what.to_owned(), changed));
    };
    add("method", &|s| s.method = if s.method == "PUT" { "GET".into() } else { "PUT".into() });
    add("path", &|s| s.url = s.url.replacen("4566/", "4566/x/", 1));
    add("query", &|s| s.url += if s.url.contains('?') { "&z=1" } else { "?z=1" });
    add("body", &|s| s.body += "20");
    add("host", &|s| drop(s.headers.insert("host".into(), "127.0.0.1:9".into())));
    if signed.url.contains("X-Amz-Signature") {
        add("signature in capitals", &|s| {
            let (before, signature) = s.url.rsplit_once("X-Amz-Signature=").unwrap();
            s.url = format!("{before}X-Amz-Signature={}", signature.to_ascii_uppercase());
        });
        add("cluster", &|s| drop(s.headers.insert("x-k8s-aws-id".into(), "prod".into())));
        add("cluster header left out", &|s| drop(s.headers.remove("x-k8s-aws-id")));
        add("expiry", &|s| s.url = s.url.replace("X-Amz-Expires=60", "X-Amz-Expires=61"));
        add("repeated parameter", &|s| s.url += "&X-Amz-Expires=60");
        add("unsigned header", &|s| drop(s.headers.insert("x-amz-target".into(), "y".into())));
    } else {
        let authorization = |s: &mut Signed, change: &dyn Fn(&str) -> String| {
            let value = change(&s.headers["Authorization"]);
            s.headers.insert("Authorization".into(), value);
        };
        add("signature in capitals", &|s| {
            authorization(s, &|value| {
                let (before, signature) = value.rsplit_once("Signature=").unwrap();
                format!("{before}Signature={}", signature.to_ascii_uppercase())
            });
        });
        add("signature", &|s| authorization(s, &|value| value.replace("Signature=", "Signature=0")));
        add("region", &|s| authorization(s, &|value| value.replace("us-west-2", "us-east-1")));
        add("key", &|s| authorization(s, &|value| value.replace(KEY.0, "AKIANOBODY")));
        add("algorithm", &|s| authorization(s, &|value| value.replace("HMAC-SHA256", "NONE")));
        add("fewer headers", &|s| authorization(s, &|value| value.replace("host;", "")));
        add("date", &|s| drop(s.headers.insert("X-Amz-Date".into(), "20200101T000000Z".into())));
        add("unsigned payload", &|s| drop(s.headers.insert("x-amz-content-sha256".into(), "UNSIGNED-PAYLOAD".into())));
        add("no authorization", &|s| drop(s.headers.remove("Authorization")));
    }
    all
}

/// aws-iam-authenticator replays a token's URL with `Accept: application/json`.
#[tokio::test]
async fn identity_in_json_for_who_asks() {
    let Some(requests) = signed() else { return skip("identity_in_json", "no botocore for python3") };
    let world = World::start().await;
    let mut request = requests.iter().find(|signed| signed.name == "presigned").unwrap().request();
    request.headers_mut().insert("accept", "application/json".parse().unwrap());
    let (status, body) = sent(&world, request).await;
    assert_eq!(status, 200);
    let json: serde_json::Value = serde_json::from_str(&body).unwrap();
    let result = &json["GetCallerIdentityResponse"]["GetCallerIdentityResult"];
    assert!(result["Arn"].as_str().unwrap().ends_with("user/admin"), "{json}");
    assert!(result["UserId"].is_string() && result["Account"].is_string());
}
