//! What a request claims about its signer, before any of it is believed.

use std::borrow::Cow;

use http::{HeaderMap, header};
use jiff::Timestamp;

use super::dialect::Distrust;

/// A claim, and why it is none.
pub(crate) type Claimed<T> = Result<T, (Distrust, String)>;

/// A signature with all that it was made with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) access_key_id: String,
    /// `20260102`.
    pub(crate) date: String,
    pub(crate) region: String,
    pub(crate) service: String,
    pub(crate) signed_headers: Vec<String>,
    pub(crate) signature: String,
    /// `20260102T030405Z`, as sent.
    pub(crate) stamp: String,
    pub(crate) at: Timestamp,
    pub(crate) session_token: Option<String>,
    /// Seconds of validity; presigned requests only.
    pub(crate) expires: Option<i64>,
}

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

impl Claim {
    /// From the `Authorization` header, or from the query of a presigned request; not from both.
    pub(crate) fn read(headers: &HeaderMap, query: &[(Cow<'_, str>, Cow<'_, str>)]) -> Claimed<Self> {
        let presigned = query.iter().any(|(name, _)| name.starts_with("X-Amz-Signature") || name == "X-Amz-Credential");
        match (single(headers, header::AUTHORIZATION.as_str())?, presigned) {
            (Some(_), true) => incomplete("The request is signed both in a header and in the query string"),
            (Some(authorization), false) => Self::from_header(authorization, headers),
            (None, true) => Self::from_query(query),
            (None, false) => Err((Distrust::Missing, String::new())),
        }
    }

    fn from_header(authorization: &str, headers: &HeaderMap) -> Claimed<Self> {
        let Some(fields) = authorization.strip_prefix(ALGORITHM) else {
            return incomplete("Authorization header requires the AWS4-HMAC-SHA256 algorithm");
        };
        let (mut credential, mut signed, mut signature) = (None, None, None);
        for field in fields.split(',') {
            let slot = match field.trim().split_once('=') {
                Some(("Credential", value)) => (&mut credential, value),
                Some(("SignedHeaders", value)) => (&mut signed, value),
                Some(("Signature", value)) => (&mut signature, value),
                _ => return incomplete("Authorization header has an unknown field"),
            };
            if slot.0.replace(slot.1).is_some() {
                return incomplete("Authorization header has a field twice");
            }
        }
        let (Some(credential), Some(signed), Some(signature)) = (credential, signed, signature) else {
            return incomplete(
                "Authorization header requires 'Credential', 'SignedHeaders' and 'Signature' parameters",
            );
        };
        let Some(stamp) = single(headers, "x-amz-date")? else {
            return incomplete("Authorization header requires existence of a 'X-Amz-Date' header");
        };
        let token = single(headers, "x-amz-security-token")?.map(str::to_owned);
        Self::build(credential, signed, signature, stamp, token, None)
    }

    fn from_query(query: &[(Cow<'_, str>, Cow<'_, str>)]) -> Claimed<Self> {
        let find = |wanted: &str| -> Claimed<Option<&str>> {
            let mut found = query.iter().filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
            let first = found.next();
            match found.next() {
                Some(_) => incomplete(&format!("{wanted} is given more than once")),
                None => Ok(first.map(|(_, value)| value.as_ref())),
            }
        };
        let required = |name: &str| find(name)?.map_or_else(|| incomplete(&format!("{name} is missing")), Ok);
        if required("X-Amz-Algorithm")? != ALGORITHM {
            return incomplete("X-Amz-Algorithm must be AWS4-HMAC-SHA256");
        }
        let expires = match required("X-Amz-Expires")?.parse::<i64>() {
            Ok(seconds) if (0..=604_800).contains(&seconds) => seconds,
            _ => return incomplete("X-Amz-Expires must be between 0 and 604800 seconds"),
        };
        Self::build(
            required("X-Amz-Credential")?,
            required("X-Amz-SignedHeaders")?,
            required("X-Amz-Signature")?,
            required("X-Amz-Date")?,
            find("X-Amz-Security-Token")?.map(str::to_owned),
            Some(expires),
        )
    }

    fn build(
        credential: &str,
        signed: &str,
        signature: &str,
        stamp: &str,
        session_token: Option<String>,
        expires: Option<i64>,
    ) -> Claimed<Self> {
        let parts: Vec<&str> = credential.split('/').collect();
        let [access_key_id, date, region, service, "aws4_request"] = parts[..] else {
            return incomplete("Credential must have exactly 5 slash-delimited elements and end with aws4_request");
        };
        let signed_headers: Vec<String> = signed.split(';').map(str::to_owned).collect();
        let ascending = signed_headers.windows(2).all(|pair| pair[0] < pair[1]);
        let lower = signed_headers.iter().all(|name| !name.is_empty() && !name.bytes().any(|b| b.is_ascii_uppercase()));
        if !ascending || !lower {
            return incomplete("SignedHeaders must be in lower case and in order");
        }
        if !is_region(region) {
            return incomplete("Credential should be scoped to a valid region");
        }
        let Some(at) = time(stamp) else {
            return incomplete("Date must be in ISO-8601 'basic format'");
        };
        if !stamp.starts_with(date) || date.len() != 8 {
            return Err((
                Distrust::Stale,
                format!(
                    "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: \
                 '{date}' != '{}', from '{stamp}'.",
                    &stamp[..8]
                ),
            ));
        }
        Ok(Self {
            access_key_id: access_key_id.to_owned(),
            date: date.to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
            signed_headers,
            signature: signature.to_owned(),
            stamp: stamp.to_owned(),
            at,
            session_token,
            expires,
        })
    }
}

fn incomplete<T>(detail: &str) -> Claimed<T> {
    Err((Distrust::Incomplete, detail.to_owned()))
}

/// A header that must not be repeated, as text.
pub(crate) fn single<'a>(headers: &'a HeaderMap, name: &str) -> Claimed<Option<&'a str>> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).or_else(|_| incomplete(&format!("{name} is not text"))),
        (Some(_), Some(_)) => incomplete(&format!("{name} is given more than once")),
    }
}

/// The shape of a Region's name: it becomes part of keys.
fn is_region(name: &str) -> bool {
    (1..=32).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// `20260102T030405Z`.
fn time(stamp: &str) -> Option<Timestamp> {
    let bytes = stamp.as_bytes();
    let shaped = bytes.len() == 16 && bytes[8] == b'T' && bytes[15] == b'Z';
    let digits = bytes.iter().enumerate().all(|(at, byte)| matches!(at, 8 | 15) || byte.is_ascii_digit());
    (shaped && digits).then(|| stamp.parse().ok()).flatten()
}
