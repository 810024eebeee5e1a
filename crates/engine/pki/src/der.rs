//! As much of DER (X.690) as a certificate needs, writing only.

use jiff::{Timestamp, tz::TimeZone};

pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const OID: u8 = 0x06;
pub(crate) const UTF8_STRING: u8 = 0x0c;
pub(crate) const UTC_TIME: u8 = 0x17;
pub(crate) const GENERALIZED_TIME: u8 = 0x18;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;

/// A context-specific tag.
pub(crate) const fn context(number: u8, constructed: bool) -> u8 {
    0x80 | (constructed as u8) << 5 | number
}

/// One value: tag, length, and its parts joined.
pub(crate) fn value(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut out = Vec::with_capacity(length + 6);
    out.push(tag);
    let bytes = length.to_be_bytes();
    let skip = bytes.iter().take_while(|byte| **byte == 0).count();
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => out.push(short),
        _ => {
            out.push(0x80 | (bytes.len() - skip) as u8);
            out.extend_from_slice(&bytes[skip..]);
        }
    }
    for part in parts {
        out.extend_from_slice(part);
    }
    out
}

/// An object identifier from its arcs.
pub(crate) fn oid(arcs: &[u32]) -> Vec<u8> {
    let [first, second, rest @ ..] = arcs else { return value(OID, &[]) };
    let mut out = Vec::new();
    for arc in std::iter::once(&(first * 40 + second)).chain(rest) {
        let septets = (32 - arc.leading_zeros()).div_ceil(7).max(1);
        for septet in (0..septets).rev() {
            let more = if septet > 0 { 0x80 } else { 0 };
            out.push((arc >> (7 * septet) & 0x7f) as u8 | more);
        }
    }
    value(OID, &[&out])
}

/// Bits without unused ones, such as a signature.
pub(crate) fn bits(bytes: &[u8]) -> Vec<u8> {
    value(BIT_STRING, &[&[0], bytes])
}

/// Named bits, the first in the highest place, without trailing zeros.
pub(crate) fn named_bits(bits: u16) -> Vec<u8> {
    let reversed = bits.reverse_bits().to_be_bytes();
    let length = reversed.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let unused = if length == 0 { 0 } else { reversed[length - 1].trailing_zeros() as u8 };
    value(BIT_STRING, &[&[unused], &reversed[..length]])
}

/// A positive number, highest byte first.
pub(crate) fn positive(bytes: &[u8]) -> Vec<u8> {
    let skip = bytes.iter().take_while(|byte| **byte == 0).count();
    let bytes = &bytes[skip..];
    let sign: &[u8] = if bytes.first().is_none_or(|first| *first >= 0x80) { &[0] } else { &[] };
    value(INTEGER, &[sign, bytes])
}

/// A time as RFC 5280 section 4.1.2.5 wants it: two digits for the year until 2049, four from 2050.
pub(crate) fn time(at: Timestamp) -> Vec<u8> {
    let date = at.to_zoned(TimeZone::UTC);
    let rest =
        format!("{:02}{:02}{:02}{:02}{:02}Z", date.month(), date.day(), date.hour(), date.minute(), date.second());
    match date.year() {
        year @ 1950..2050 => value(UTC_TIME, &[format!("{:02}{rest}", year % 100).as_bytes()]),
        year => value(GENERALIZED_TIME, &[format!("{year:04}{rest}").as_bytes()]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths() {
        assert_eq!(value(SEQUENCE, &[&[1], &[2, 3]]), [0x30, 3, 1, 2, 3]);
        assert_eq!(value(OCTET_STRING, &[&[0; 0x80]])[..3], [4, 0x81, 0x80]);
        assert_eq!(value(OCTET_STRING, &[&[0; 0x1234]])[..4], [4, 0x82, 0x12, 0x34]);
    }

    #[test]
    fn values() {
        assert_eq!(oid(&[1, 2, 840, 10045, 4, 3, 2]), [6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2]);
        assert_eq!(oid(&[2, 5, 29, 0]), [6, 3, 0x55, 29, 0]);
        // keyCertSign is bit 5, cRLSign 6; decipherOnly, bit 8, needs a second byte.
        assert_eq!(named_bits(1 << 5 | 1 << 6), [3, 2, 1, 0x06]);
        assert_eq!(named_bits(1 << 8), [3, 3, 7, 0, 0x80]);
        assert_eq!(named_bits(0), [3, 1, 0]);
        assert_eq!(positive(&[0, 0x80]), [2, 2, 0, 0x80]);
        assert_eq!(positive(&[0, 1]), [2, 1, 1]);
        assert_eq!(positive(&[0]), [2, 1, 0]);
    }

    #[test]
    fn times() {
        let at = |text: &str| time(text.parse().unwrap())[2..].to_vec();
        assert_eq!(at("2026-01-02T03:04:05Z"), b"260102030405Z");
        assert_eq!(at("2050-01-02T03:04:05Z"), b"20500102030405Z");
    }
}
