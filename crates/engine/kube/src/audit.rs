//! Ids of requests, for the `Audit-Id` header: unique, not secret, cheap.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use http::HeaderValue;

/// Sets one process's ids apart from another's.
static PROCESS: LazyLock<[u8; 16]> = LazyLock::new(eksile_base::entropy::bytes::<16>);
static COUNTER: AtomicU64 = AtomicU64::new(0);

/// The next id, in the form of a UUID.
pub(crate) fn next() -> HeaderValue {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut bytes = *PROCESS;
    // An odd factor permutes the 64-bit numbers, so that neighbours look different.
    let count = COUNTER.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
    for (byte, other) in bytes[8..].iter_mut().zip(count) {
        *byte ^= other;
    }
    let mut text = [b'-'; 36];
    let mut at = 0;
    for byte in bytes {
        if matches!(at, 8 | 13 | 18 | 23) {
            at += 1;
        }
        text[at] = HEX[usize::from(byte >> 4)];
        text[at + 1] = HEX[usize::from(byte & 15)];
        at += 2;
    }
    HeaderValue::from_bytes(&text).expect("hexadecimal digits and dashes are a header value")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    #[test]
    fn ids_differ_and_look_like_uuids() {
        let ids: BTreeSet<String> = (0..1000).map(|_| super::next().to_str().unwrap().to_owned()).collect();
        assert_eq!(ids.len(), 1000);
        for id in ids {
            let parts: Vec<usize> = id.split('-').map(str::len).collect();
            assert_eq!(parts, [8, 4, 4, 4, 12]);
        }
    }
}
