//! Signature Version 4.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>

use std::borrow::Cow;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign, verify};
use bytes::Bytes;
use http::Request;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use super::claim::Claim;

/// RFC 3986's unreserved characters stay.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const PATH: &AsciiSet = &UNRESERVED.remove(b'/');

/// Whether the claim's signature is the request's, made with `secret`. In constant time.
pub(crate) fn is_genuine(
    request: &Request<Bytes>,
    query: &[(Cow<'_, str>, Cow<'_, str>)],
    claim: &Claim,
    secret: &str,
    payload: &str,
) -> bool {
    // A signature is a text: the same number in capitals is another one.
    if claim.signature.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return false;
    }
    let Ok(signature) = hex::decode(&claim.signature) else { return false };
    let Some(canonical) = canonical_request(request, query, claim, payload) else { return false };
    let scope = format!("{}/{}/{}/aws4_request", claim.date, claim.region, claim.service);
    let text = format!("AWS4-HMAC-SHA256\n{}\n{scope}\n{}", claim.stamp, sha256(canonical.as_bytes()));
    verify(&signing_key(secret, claim), text.as_bytes(), &signature).is_ok()
}

fn signing_key(secret: &str, claim: &Claim) -> Key {
    let first = Key::new(HMAC_SHA256, format!("AWS4{secret}").as_bytes());
    [&*claim.date, &*claim.region, &*claim.service, "aws4_request"]
        .iter()
        .fold(first, |key, part| Key::new(HMAC_SHA256, sign(&key, part.as_bytes()).as_ref()))
}

/// SHA-256 in hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex::encode(digest(&SHA256, bytes))
}

/// `None` when a signed header is not there.
fn canonical_request(
    request: &Request<Bytes>,
    query: &[(Cow<'_, str>, Cow<'_, str>)],
    claim: &Claim,
    payload: &str,
) -> Option<String> {
    let mut headers = String::new();
    for name in &claim.signed_headers {
        headers.push_str(name);
        headers.push(':');
        headers.push_str(&header(request, name)?);
        headers.push('\n');
    }
    Some(format!(
        "{}\n{}\n{}\n{headers}\n{}\n{payload}",
        request.method(),
        path(request.uri().path()),
        canonical_query(query),
        claim.signed_headers.join(";"),
    ))
}

/// The host that the request names; HTTP/2 carries it in the URI.
pub(crate) fn host(request: &Request<Bytes>) -> Option<&str> {
    let named = request.headers().get(http::header::HOST).and_then(|host| host.to_str().ok());
    named.or_else(|| request.uri().authority().map(http::uri::Authority::as_str))
}

/// Every value of a header, blanks folded, joined by commas. HTTP/2 carries the host in the URI.
fn header(request: &Request<Bytes>, name: &str) -> Option<String> {
    let values = request.headers().get_all(name).iter().map(|value| value.to_str().ok().map(folded));
    let values: Vec<String> = values.collect::<Option<_>>()?;
    match (values.is_empty(), name) {
        (false, _) => Some(values.join(",")),
        (true, "host") => host(request).map(str::to_owned),
        // hyper takes the length in, and leaves it out where there is no body.
        (true, "content-length") => Some(request.body().len().to_string()),
        (true, _) => None,
    }
}

fn folded(value: &str) -> String {
    value.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

/// The path in its normal form, encoded once more: every service but S3 does so.
fn path(raw: &str) -> String {
    percent_encode(normal(raw).as_bytes(), PATH).to_string()
}

/// The path without empty and dot segments: what is signed, and so what is routed.
pub(crate) fn normal(raw: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in raw.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            other => segments.push(other),
        }
    }
    let trailing = if !segments.is_empty() && raw.ends_with('/') { "/" } else { "" };
    format!("/{}{trailing}", segments.join("/"))
}

/// Names and values encoded anew and sorted, without the signature.
fn canonical_query(query: &[(Cow<'_, str>, Cow<'_, str>)]) -> String {
    let encoded = |text: &str| percent_encode(text.as_bytes(), UNRESERVED).to_string();
    let mut pairs: Vec<(String, String)> = query
        .iter()
        .filter(|(name, _)| name != "X-Amz-Signature")
        .map(|(name, value)| (encoded(name), encoded(value)))
        .collect();
    pairs.sort();
    let pairs: Vec<String> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_normal_and_encoded_twice() {
        assert_eq!(path("/"), "/");
        assert_eq!(path("//a/./b/../c"), "/a/c");
        assert_eq!(path("/a/"), "/a/");
        assert_eq!(path("/x/arn%3Aaws"), "/x/arn%253Aaws");
        assert_eq!(path("/../.."), "/");
    }
}
