//! Signature Version 4, the caller's side (AWS General Reference, "Signing AWS API requests").

use std::fmt::Write as _;

use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Temporary credentials, as the metadata service gives them.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Credentials {
    /// `ASIA…`.
    pub access_key_id: String,
    /// Never logged.
    pub secret_access_key: String,
    /// The session token.
    pub token: Option<String>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

fn hash(data: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA256, data))
}

fn mac(key: &[u8], data: &str) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), data.as_bytes())
}

/// Signature of a canonical request within a scope `DATE/REGION/SERVICE/aws4_request`.
fn signature(credentials: &Credentials, scope: &str, time: &str, canonical: &str) -> String {
    let mut key = format!("AWS4{}", credentials.secret_access_key).into_bytes();
    for part in scope.split('/') {
        key = mac(&key, part).as_ref().to_vec();
    }
    let text = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", hash(canonical.as_bytes()));
    hex::encode(mac(&key, &text))
}

/// `20260131T235959Z`.
fn stamp(now: jiff::Timestamp) -> String {
    now.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// The headers that sign a POST to `/` of `host`: `x-amz-date`, `x-amz-security-token` (if any) and `authorization`.
#[must_use]
pub fn sign(
    credentials: &Credentials,
    (region, service): (&str, &str),
    host: &str,
    body: &[u8],
    now: jiff::Timestamp,
) -> Vec<(&'static str, String)> {
    let time = stamp(now);
    let mut headers = vec![("host", host.to_owned()), ("x-amz-date", time.clone())];
    headers.extend(credentials.token.clone().map(|token| ("x-amz-security-token", token)));
    let names: Vec<_> = headers.iter().map(|(name, _)| *name).collect();
    let names = names.join(";");
    let mut canonical = "POST\n/\n\n".to_owned();
    for (name, value) in &headers {
        // Writing to a String cannot fail.
        let _ = writeln!(canonical, "{name}:{value}");
    }
    let _ = write!(canonical, "\n{names}\n{}", hash(body));
    let scope = format!("{}/{region}/{service}/aws4_request", &time[..8]);
    let signature = signature(credentials, &scope, &time, &canonical);
    let key = &credentials.access_key_id;
    headers.remove(0);
    headers.push((
        "authorization",
        format!("AWS4-HMAC-SHA256 Credential={key}/{scope}, SignedHeaders={names}, Signature={signature}"),
    ));
    headers
}

/// The bearer token of an EKS cluster: a presigned `GetCallerIdentity` that names the cluster in a signed header
/// (what `aws eks get-token` makes). `cluster` is the id of a local cluster, else the name.
#[must_use]
pub fn cluster_token(credentials: &Credentials, region: &str, cluster: &str, now: jiff::Timestamp) -> String {
    let time = stamp(now);
    let host = format!("sts.{region}.amazonaws.com");
    let scope = format!("{}/{region}/sts/aws4_request", &time[..8]);
    let mut parameters = vec![
        ("Action", "GetCallerIdentity".to_owned()),
        ("Version", "2011-06-15".to_owned()),
        ("X-Amz-Algorithm", "AWS4-HMAC-SHA256".to_owned()),
        ("X-Amz-Credential", format!("{}/{scope}", credentials.access_key_id)),
        ("X-Amz-Date", time.clone()),
        ("X-Amz-Expires", "60".to_owned()),
        ("X-Amz-SignedHeaders", "host;x-k8s-aws-id".to_owned()),
    ];
    parameters.extend(credentials.token.clone().map(|token| ("X-Amz-Security-Token", token)));
    parameters.sort();
    let pairs: Vec<_> =
        parameters.iter().map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, UNRESERVED))).collect();
    let query = pairs.join("&");
    let canonical = format!("GET\n/\n{query}\nhost:{host}\nx-k8s-aws-id:{cluster}\n\nhost;x-k8s-aws-id\n{}", hash(b""));
    let signature = signature(credentials, &scope, &time, &canonical);
    let url = format!("https://{host}/?{query}&X-Amz-Signature={signature}");
    format!("k8s-aws-v1.{}", URL_SAFE_NO_PAD.encode(url))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials() -> Credentials {
        Credentials {
            access_key_id: "AKIDEXAMPLE".to_owned(),
            secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned(),
            token: None,
        }
    }

    /// The suite's case `post-vanilla` (AWS Signature Version 4 test suite).
    #[test]
    fn the_published_case_is_signed_alike() {
        let now = "2015-08-30T12:36:00Z".parse().unwrap();
        let headers = sign(&credentials(), ("us-east-1", "service"), "example.amazonaws.com", b"", now);
        let expected = "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b";
        assert!(headers.last().unwrap().1.ends_with(expected), "{headers:?}");
    }

    #[test]
    fn a_token_is_a_presigned_url() {
        let token = cluster_token(&credentials(), "us-west-2", "id-1", "2026-01-31T23:59:59Z".parse().unwrap());
        let url = URL_SAFE_NO_PAD.decode(token.strip_prefix("k8s-aws-v1.").unwrap()).unwrap();
        let url = String::from_utf8(url).unwrap();
        assert!(url.starts_with("https://sts.us-west-2.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15&"));
        assert!(url.contains("X-Amz-SignedHeaders=host%3Bx-k8s-aws-id"));
        assert!(url.contains("%2F20260131%2Fus-west-2%2Fsts%2Faws4_request"));
        assert!(!url.contains("id-1"));
    }

    #[test]
    fn secrets_are_not_printed() {
        assert!(!format!("{:?}", credentials()).contains("wJalr"));
    }
}
