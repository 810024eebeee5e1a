//! Names of repositories, tags and digests.
//! <https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md#pulling-manifests>

use aws_lc_rs::digest::{SHA256, digest};

/// `team/app-1`: components of lower-case letters and digits, separated inside by `.`, `_`, `__` or dashes.
pub(crate) fn is_repository(name: &str) -> bool {
    (2..=256).contains(&name.len()) && name.split('/').all(is_component)
}

fn is_component(component: &str) -> bool {
    let bytes = component.as_bytes();
    let alphanumeric = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends = bytes.first().is_some_and(alphanumeric) && bytes.last().is_some_and(alphanumeric);
    let mut separators = component.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    ends && separators
        .all(|between| matches!(between, "" | "." | "_" | "__") || between.bytes().all(|byte| byte == b'-'))
}

/// `v1.2_3-x`, at most 128 characters.
pub(crate) fn is_tag(tag: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let bytes = tag.as_bytes();
    (1..=128).contains(&bytes.len())
        && word(bytes[0])
        && bytes.iter().all(|byte| word(*byte) || matches!(byte, b'.' | b'-'))
}

/// `sha256:` and 64 hexadecimal digits: the one algorithm that images use.
pub(crate) fn is_digest(text: &str) -> bool {
    let hex = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f');
    text.strip_prefix("sha256:").is_some_and(|rest| rest.len() == 64 && rest.bytes().all(hex))
}

/// The digest of bytes.
pub(crate) fn digest_of(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(digest(&SHA256, bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules() {
        for good in ["ab", "a/b", "team/app-1", "a__b", "a.b", "a--b", "1/2/3"] {
            assert!(is_repository(good), "{good}");
        }
        for bad in ["a", "A/b", "a//b", "/ab", "ab/", "a..b", "a___b", "-ab", "ab-", "a@b", "a:b", "../ab", ""] {
            assert!(!is_repository(bad), "{bad}");
        }
        assert!(is_tag("v1.2_3-x") && is_tag("_"));
        assert!(!is_tag("") && !is_tag(".a") && !is_tag("a/b") && !is_tag(&"a".repeat(129)));
        assert!(is_digest(&digest_of(b"x")));
        assert!(!is_digest("sha256:../../etc") && !is_digest("sha512:00"));
    }
}
