//! The form of an IAM token: `k8s-aws-v1.` and a presigned GetCallerIdentity URL, base64url without padding.
//!
//! The rules are aws-iam-authenticator's verifier's (`pkg/token/token.go`), with one difference: the URL may also name
//! this installation's own listeners on loopback, plain http and port included, because that is what
//! `aws eks get-token` makes against a local endpoint. The URL's host is never dialled: the request is replayed to the
//! configured STS.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};

/// What a token begins with.
pub(super) const PREFIX: &str = "k8s-aws-v1.";
/// Longest token, bytes.
const LONGEST: usize = 4096;
/// How long after `X-Amz-Date` a token holds.
const LIFE: SignedDuration = SignedDuration::from_mins(15);
/// Longest `X-Amz-Expires`, seconds.
const EXPIRES: u32 = 900;

const PARAMETERS: &[&str] = &[
    "action",
    "version",
    "x-amz-algorithm",
    "x-amz-credential",
    "x-amz-date",
    "x-amz-expires",
    "x-amz-security-token",
    "x-amz-signature",
    "x-amz-signedheaders",
];

/// A token that has the right form and is not too old. Whether its signature holds, STS must say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Presigned {
    /// `Host` header to replay with.
    pub(super) host: String,
    /// Path and query, as signed.
    pub(super) target: String,
    /// The access key.
    pub(super) access_key: String,
    /// When it stops to hold.
    pub(super) until: Timestamp,
}

/// What is wrong with a token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("input token was not properly formatted: {0}")]
pub(super) struct FormatError(pub(super) String);

fn wrong<T>(why: impl Into<String>) -> Result<T, FormatError> {
    Err(FormatError(why.into()))
}

/// Reads and judges a token.
pub(super) fn read(token: &str, region: &str, own: &[String], now: Timestamp) -> Result<Presigned, FormatError> {
    if token.len() > LONGEST {
        return wrong("token is too large");
    }
    let Some(encoded) = token.strip_prefix(PREFIX) else {
        return wrong("token is missing expected \"k8s-aws-v1.\" prefix");
    };
    let bytes = URL_SAFE_NO_PAD.decode(encoded).map_err(|e| FormatError(e.to_string()))?;
    let url = String::from_utf8(bytes).map_err(|e| FormatError(e.to_string()))?;
    let Some((scheme, rest)) = url.split_once("://") else { return wrong("not a URL") };
    let Some((host, target)) = rest.find(['/', '?']).map(|at| rest.split_at(at)) else { return wrong("no query") };
    check_host(scheme, host, region, own)?;
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    if path != "/" {
        return wrong("unexpected path in pre-signed URL");
    }
    if target.contains('#') || target.bytes().any(|b| b.is_ascii_control() || b == b' ') {
        return wrong("unexpected characters in pre-signed URL");
    }
    let parameters = parameters(query)?;
    let (access_key, until) = check(&parameters, now)?;
    Ok(Presigned { host: host.to_owned(), target: target.to_owned(), access_key, until })
}

fn check_host(scheme: &str, host: &str, region: &str, own: &[String]) -> Result<(), FormatError> {
    if matches!(scheme, "http" | "https") && (own.iter().any(|o| o == host) || is_loopback(host)) {
        return Ok(());
    }
    if scheme != "https" {
        return wrong(format!("unexpected scheme \"{scheme}\" in pre-signed URL"));
    }
    let known = if host == "sts.amazonaws.com" {
        !region.starts_with("cn-") && !region.contains("-iso")
    } else {
        regional(host).is_some_and(|(named, suffix)| {
            let china = named.starts_with("cn-");
            china == region.starts_with("cn-") && china == suffix.ends_with(".cn")
        })
    };
    if known { Ok(()) } else { wrong(format!("unexpected hostname \"{host}\" in pre-signed URL")) }
}

/// Region and domain of an STS host: `sts[-fips].REGION.amazonaws.com[.cn]` or `….api.aws`.
fn regional(host: &str) -> Option<(&str, &str)> {
    let (service, rest) = host.split_once('.')?;
    let (region, suffix) = rest.split_once('.')?;
    let fits = matches!(service, "sts" | "sts-fips")
        && matches!(suffix, "amazonaws.com" | "api.aws" | "amazonaws.com.cn" | "api.amazonwebservices.com.cn")
        && !region.is_empty()
        && region.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    fits.then_some((region, suffix))
}

fn is_loopback(host: &str) -> bool {
    match host.parse::<std::net::SocketAddr>() {
        Ok(address) => address.ip().is_loopback(),
        Err(_) => host.split_once(':').is_some_and(|(name, port)| name == "localhost" && port.parse::<u16>().is_ok()),
    }
}

/// Lower-case names and values; each name once.
fn parameters(query: &str) -> Result<Vec<(String, String)>, FormatError> {
    let mut found: Vec<(String, String)> = Vec::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let name = name.to_lowercase();
        if !PARAMETERS.contains(&name.as_str()) {
            return wrong(format!("non-whitelisted query parameter \"{name}\""));
        }
        if found.iter().any(|(n, _)| *n == name) {
            return wrong(format!("input query string has multiple values for \"{name}\""));
        }
        found.push((name, value.into_owned()));
    }
    Ok(found)
}

fn check(parameters: &[(String, String)], now: Timestamp) -> Result<(String, Timestamp), FormatError> {
    let get = |name: &str| parameters.iter().find(|(n, _)| n == name).map_or("", |(_, v)| v.as_str());
    if get("action") != "GetCallerIdentity" {
        return wrong("unexpected action parameter in pre-signed URL");
    }
    if !get("x-amz-signedheaders").split(';').any(|h| h.eq_ignore_ascii_case("x-k8s-aws-id")) {
        return wrong("client did not sign the x-k8s-aws-id header in the pre-signed URL");
    }
    match get("x-amz-expires").parse::<u32>() {
        Ok(expires) if expires <= EXPIRES => {}
        _ => return wrong("invalid X-Amz-Expires parameter in pre-signed URL"),
    }
    let date = get("x-amz-date");
    if date.is_empty() {
        return wrong("X-Amz-Date parameter must be present in pre-signed URL");
    }
    let signed = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", date)
        .and_then(|d| d.to_zoned(jiff::tz::TimeZone::UTC))
        .map_err(|_| FormatError(format!("error parsing X-Amz-Date parameter {date} into format 20060102T150405Z")))?
        .timestamp();
    let until = signed.checked_add(LIFE).map_err(|e| FormatError(e.to_string()))?;
    if now > until {
        return wrong(format!("X-Amz-Date parameter is expired (15 minute expiration) {date}"));
    }
    let access_key = get("x-amz-credential").split('/').next().unwrap_or_default().to_owned();
    Ok((access_key, until))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: &str = "https://sts.us-west-2.amazonaws.com";
    const QUERY: &str = "Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256&\
                         X-Amz-Credential=AKID%2F20261121%2Fus-west-2%2Fsts%2Faws4_request&X-Amz-Date=20261121T100000Z&\
                         X-Amz-Expires=60&X-Amz-SignedHeaders=host%3Bx-k8s-aws-id&X-Amz-Signature=00";

    fn judge(url: &str, minutes: i64) -> Result<Presigned, FormatError> {
        let now: Timestamp = "2026-11-21T10:00:00Z".parse().unwrap();
        let token = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(url));
        read(&token, "us-west-2", &["aws.example:443".to_owned()], now + SignedDuration::from_mins(minutes))
    }

    #[test]
    fn a_good_token_holds_for_fifteen_minutes() {
        let url = format!("{HOST}/?{QUERY}");
        let found = judge(&url, 14).unwrap();
        assert_eq!((found.host.as_str(), found.access_key.as_str()), ("sts.us-west-2.amazonaws.com", "AKID"));
        assert!(judge(&url, 16).is_err());
        for host in ["http://127.0.0.1:4566", "https://aws.example:443", "https://sts.eu-west-1.amazonaws.com"] {
            judge(&format!("{host}/?{QUERY}"), 0).unwrap();
        }
    }

    #[test]
    fn bad_tokens_are_refused() {
        for url in [
            format!("{HOST}:443/?{QUERY}"),
            format!("{HOST}/foo?{QUERY}"),
            format!("http://sts.us-west-2.amazonaws.com/?{QUERY}"),
            format!("https://sts.us-west-2.amazonaws.com.evil.example/?{QUERY}"),
            format!("https://sts.cn-north-1.amazonaws.com.cn/?{QUERY}"),
            format!("{HOST}/?{QUERY}&Extra=1"),
            format!("{HOST}/?{QUERY}&action=GetCallerIdentity"),
            format!("{HOST}/?{}", QUERY.replace("=60", "=901")),
            format!("{HOST}/?{}", QUERY.replace("host%3Bx-k8s-aws-id", "host")),
            format!("{HOST}/?{}", QUERY.replace("GetCallerIdentity", "AssumeRole")),
            format!("{HOST}/?{}", QUERY.replace("20261121T100000Z", "yesterday")),
        ] {
            assert!(judge(&url, 0).is_err(), "{url}");
        }
        let now = Timestamp::UNIX_EPOCH;
        assert!(read("k8s-aws-v1.aHR0cHM6Ly9h==", "us-west-2", &[], now).is_err());
        assert!(read(&format!("k8s-aws-v1.{}", "A".repeat(5000)), "us-west-2", &[], now).is_err());
    }
}
