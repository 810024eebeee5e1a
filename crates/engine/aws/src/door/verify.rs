//! Station 2: who sends it.
//!
//! Wall time judges the stamp: a signed request is good for five minutes around it, a presigned one
//! for as long as it says; STS takes presigned identity requests for fifteen minutes whatever they say.

use bytes::Bytes;
use http::Request;
use jiff::{SignedDuration, Timestamp};

use super::bind::Sent;
use super::claim::{Claim, single};
use super::dialect::{Dialect, Distrust};
use super::locate::Located;
use super::sigv4;
use crate::contract::{Caller, Fault, Reads, Vantage};
use crate::directory::Credential;

const SKEW: SignedDuration = SignedDuration::from_mins(5);
const PRESIGNED_STS: SignedDuration = SignedDuration::from_mins(15);
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

/// The caller, proven, as the records have it now.
pub(crate) fn verify(sent: &Sent<'_>, state: Reads<'_>) -> Result<Caller, Fault> {
    let (claim, dialect) = (&sent.located.claim, &sent.located.dialect);
    let Some(credential) = sent.door.directory.credential(state, &claim.access_key_id)? else {
        return Err(dialect.distrust(Distrust::UnknownKey, ""));
    };
    if !sigv4::is_genuine(sent.request, &sent.located.query, claim, &credential.secret, &sent.payload) {
        return Err(dialect.distrust(Distrust::Mismatch, ""));
    }
    // Only who holds the secret is told what is wrong with the time or the token.
    fresh(claim, dialect, sent.wall)?;
    token(claim, &credential, dialect, sent.wall)?;
    Ok(credential.caller)
}

/// The hash that was signed for the body, of a request in which all is signed that must be.
pub(crate) fn payload(request: &Request<Bytes>, located: &Located<'_>, from: &Vantage) -> Result<String, Fault> {
    headers(request, &located.claim, &located.dialect)?;
    signed_hash(request, &located.dialect, from)
}

/// What must be signed: the host, and every header that AWS itself reads.
fn headers(request: &Request<Bytes>, claim: &Claim, dialect: &Dialect) -> Result<(), Fault> {
    let signed = |name: &str| claim.signed_headers.iter().any(|signed| signed == name);
    let own = request.headers().keys().map(http::HeaderName::as_str).filter(|name| name.starts_with("x-amz-"));
    for name in own.chain(["host"]) {
        if !signed(name) {
            let detail = format!("'{name}' must be a 'SignedHeader' in the AWS Authorization.");
            return Err(dialect.distrust(Distrust::Incomplete, &detail));
        }
        if let Err((why, detail)) = single(request.headers(), name) {
            return Err(dialect.distrust(why, &detail));
        }
    }
    Ok(())
}

/// The hash that was signed for the body. Only TLS vouches for a body that was not signed.
fn signed_hash(request: &Request<Bytes>, dialect: &Dialect, from: &Vantage) -> Result<String, Fault> {
    let actual = sigv4::sha256(request.body());
    match single(request.headers(), "x-amz-content-sha256").unwrap_or_default() {
        Some(UNSIGNED) if from.tls => Ok(UNSIGNED.to_owned()),
        Some(claimed) if claimed != actual => {
            let detail = "The provided 'x-amz-content-sha256' header does not match what was computed.";
            Err(dialect.distrust(Distrust::Incomplete, detail))
        }
        _ => Ok(actual),
    }
}

fn fresh(claim: &Claim, dialect: &Dialect, now: Timestamp) -> Result<(), Fault> {
    let lifetime = match claim.expires {
        None => SKEW,
        Some(_) if claim.service == "sts" => PRESIGNED_STS,
        Some(seconds) => SignedDuration::from_secs(seconds),
    };
    let age = now.duration_since(claim.at);
    let shown = |time: Timestamp| time.strftime("%Y%m%dT%H%M%SZ").to_string();
    let detail = if age > lifetime {
        format!(
            "Signature expired: {} is now earlier than {} ({} - {lifetime:#}.)",
            claim.stamp,
            shown(now - lifetime),
            shown(now)
        )
    } else if age < -SKEW {
        format!(
            "Signature not yet current: {} is still later than {} ({} + 5 min.)",
            claim.stamp,
            shown(now + SKEW),
            shown(now)
        )
    } else {
        return Ok(());
    };
    Err(dialect.distrust(Distrust::Stale, &detail))
}

/// Temporary credentials come with their token and end; others come without.
fn token(claim: &Claim, credential: &Credential, dialect: &Dialect, now: Timestamp) -> Result<(), Fault> {
    let same = match (&credential.session_token, &claim.session_token) {
        (None, None) => true,
        (Some(kept), Some(sent)) => {
            aws_lc_rs::constant_time::verify_slices_are_equal(kept.as_bytes(), sent.as_bytes()).is_ok()
        }
        _ => false,
    };
    if !same {
        return Err(dialect.distrust(Distrust::UnknownKey, ""));
    }
    if credential.expires.is_some_and(|expires| now >= expires) {
        return Err(dialect.distrust(Distrust::Expired, ""));
    }
    Ok(())
}
