//! Identifiers in the forms that AWS and Kubernetes give them.

use crate::entropy;

/// What Kubernetes draws generated name suffixes from (`k8s.io/apimachinery/pkg/util/rand`): no vowels, no 0, 1, 3.
const KUBE: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
const PRINCIPAL: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const HEX: &[u8] = b"0123456789abcdef";

/// A resource id of EC2's long form: `PREFIX-` and 17 hexadecimal digits.
#[must_use]
pub fn aws(prefix: &str) -> String {
    format!("{prefix}-{}", entropy::text(HEX, 17))
}

/// A random UUID (version 4, RFC 9562), in lower case.
#[must_use]
pub fn uuid() -> String {
    let mut bytes = entropy::bytes::<16>();
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let n = u128::from_be_bytes(bytes);
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        n >> 96,
        n >> 80 & 0xffff,
        n >> 64 & 0xffff,
        n >> 48 & 0xffff,
        n & 0xffff_ffff_ffff
    )
}

/// An IAM unique id: 21 characters, `prefix` (such as `AIDA`, `AROA`) first.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html>
#[must_use]
pub fn principal(prefix: &str) -> String {
    format!("{prefix}{}", entropy::text(PRINCIPAL, 21_usize.saturating_sub(prefix.len())))
}

/// An IAM access key id: 20 characters, `prefix` (`AKIA`, `ASIA`) first.
#[must_use]
pub fn access_key(prefix: &str) -> String {
    format!("{prefix}{}", entropy::text(PRINCIPAL, 20_usize.saturating_sub(prefix.len())))
}

/// The five characters that Kubernetes appends to `generateName`.
#[must_use]
pub fn kube_suffix() -> String {
    entropy::text(KUBE, 5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let vpc = aws("vpc");
        assert_eq!(vpc.len(), 21);
        assert!(vpc["vpc-".len()..].bytes().all(|b| HEX.contains(&b)), "{vpc}");
        assert_eq!(principal("AIDA").len(), 21);
        assert_eq!(access_key("AKIA").len(), 20);
        assert_eq!(kube_suffix().len(), 5);
        assert_ne!(aws("vpc"), vpc);
    }

    #[test]
    fn uuid_is_version_4() {
        let uuid = uuid();
        let parts: Vec<usize> = uuid.split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12]);
        assert_eq!(uuid.as_bytes()[14], b'4');
        assert!(b"89ab".contains(&uuid.as_bytes()[19]), "{uuid}");
    }
}
