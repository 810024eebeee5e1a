//! What goes into a certificate (RFC 5280 section 4.1), without its signature.

use aws_lc_rs::digest;
use eksile_base::entropy;
use jiff::Timestamp;

use crate::{
    SanName, Usage,
    der::{self, BOOLEAN, OCTET_STRING, SEQUENCE, SET, UTF8_STRING, context, oid, value},
    usage,
};

const ECDSA_WITH_SHA256: &[u32] = &[1, 2, 840, 10045, 4, 3, 2];
pub(crate) const COMMON_NAME: &[u32] = &[2, 5, 4, 3];
pub(crate) const ORGANIZATION: &[u32] = &[2, 5, 4, 10];
const SUBJECT_KEY_ID: &[u32] = &[2, 5, 29, 14];
const KEY_USAGE: &[u32] = &[2, 5, 29, 15];
const SUBJECT_ALT_NAME: &[u32] = &[2, 5, 29, 17];
const BASIC_CONSTRAINTS: &[u32] = &[2, 5, 29, 19];
const AUTHORITY_KEY_ID: &[u32] = &[2, 5, 29, 35];
const EXTENDED_KEY_USAGE: &[u32] = &[2, 5, 29, 37];

/// A certificate to be signed with ECDSA and SHA-256.
pub(crate) struct Template<'a> {
    /// A name, encoded.
    pub(crate) issuer: &'a [u8],
    /// A name, encoded.
    pub(crate) subject: &'a [u8],
    pub(crate) not_before: Timestamp,
    pub(crate) not_after: Timestamp,
    /// The subject's public key, encoded.
    pub(crate) public_key: &'a [u8],
    pub(crate) authority: bool,
    pub(crate) usages: &'a [Usage],
    pub(crate) names: &'a [SanName],
    /// The issuer's key, by its identifier.
    pub(crate) issuer_key: &'a [u8],
}

impl Template<'_> {
    /// What is signed.
    pub(crate) fn to_be_signed(&self) -> Vec<u8> {
        let mut serial = entropy::bytes::<16>();
        // Positive, and never shorter.
        serial[0] = serial[0] & 0x7f | 0x40;
        value(
            SEQUENCE,
            &[
                &value(context(0, true), &[&der::positive(&[2])]),
                &der::positive(&serial),
                &algorithm(),
                self.issuer,
                &value(SEQUENCE, &[&der::time(self.not_before), &der::time(self.not_after)]),
                self.subject,
                self.public_key,
                &value(context(3, true), &[&value(SEQUENCE, &[&self.extensions()])]),
            ],
        )
    }

    fn extensions(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let (bits, purposes) = usage::encode(self.usages);
        if bits != 0 {
            out.extend(extension(KEY_USAGE, true, &der::named_bits(bits)));
        }
        if !purposes.is_empty() {
            out.extend(extension(EXTENDED_KEY_USAGE, false, &value(SEQUENCE, &[&purposes.concat()])));
        }
        let is_authority: &[u8] = if self.authority { &[BOOLEAN, 1, 0xff] } else { &[] };
        out.extend(extension(BASIC_CONSTRAINTS, true, &value(SEQUENCE, &[is_authority])));
        if self.authority {
            let id = value(OCTET_STRING, &[&key_id(self.public_key)]);
            out.extend(extension(SUBJECT_KEY_ID, false, &id));
        }
        let issuer = value(SEQUENCE, &[&value(context(0, false), &[self.issuer_key])]);
        out.extend(extension(AUTHORITY_KEY_ID, false, &issuer));
        if !self.names.is_empty() {
            let names: Vec<Vec<u8>> = self.names.iter().map(alternative).collect();
            // Critical where there is no other name, RFC 5280 section 4.2.1.6.
            let only = self.subject == value(SEQUENCE, &[]);
            out.extend(extension(SUBJECT_ALT_NAME, only, &value(SEQUENCE, &[&names.concat()])));
        }
        out
    }
}

/// The certificate: what was signed, how, and the signature.
pub(crate) fn signed(to_be_signed: &[u8], signature: &[u8]) -> Vec<u8> {
    value(SEQUENCE, &[to_be_signed, &algorithm(), &der::bits(signature)])
}

/// A name of these attributes, in this order, each by itself.
pub(crate) fn name(attributes: &[(&[u32], &str)]) -> Vec<u8> {
    let parts: Vec<Vec<u8>> = attributes
        .iter()
        .map(|(kind, text)| value(SET, &[&value(SEQUENCE, &[&oid(kind), &value(UTF8_STRING, &[text.as_bytes()])])]))
        .collect();
    value(SEQUENCE, &[&parts.concat()])
}

/// A short name for a public key: half of the SHA-256 of its encoding.
pub(crate) fn key_id(public_key: &[u8]) -> Vec<u8> {
    digest::digest(&digest::SHA256, public_key).as_ref()[..20].to_vec()
}

fn algorithm() -> Vec<u8> {
    value(SEQUENCE, &[&oid(ECDSA_WITH_SHA256)])
}

fn extension(kind: &[u32], critical: bool, content: &[u8]) -> Vec<u8> {
    let critical: &[u8] = if critical { &[BOOLEAN, 1, 0xff] } else { &[] };
    value(SEQUENCE, &[&oid(kind), critical, &value(OCTET_STRING, &[content])])
}

fn alternative(name: &SanName) -> Vec<u8> {
    match name {
        SanName::Email(text) => value(context(1, false), &[text.as_bytes()]),
        SanName::Dns(text) => value(context(2, false), &[text.as_bytes()]),
        SanName::Uri(text) => value(context(6, false), &[text.as_bytes()]),
        SanName::Ip(std::net::IpAddr::V4(ip)) => value(context(7, false), &[&ip.octets()]),
        SanName::Ip(std::net::IpAddr::V6(ip)) => value(context(7, false), &[&ip.octets()]),
    }
}
