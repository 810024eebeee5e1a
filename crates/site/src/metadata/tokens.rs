use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use eksile_base::entropy;

/// Bytes of an end and of what makes tokens of one instant differ.
const HEAD: usize = 16;
/// A token's length: the head and its seal, in base64.
const LENGTH: usize = 64;

/// Session tokens of IMDSv2. Nothing is kept of them: a token says when it ends, and a seal over that and the instance
/// vouches for it. The key lives as long as the service; after a restart callers ask for new tokens, as the SDKs do on a
/// 401.
pub(super) struct Tokens {
    key: hmac::Key,
    begun: Instant,
}

impl Default for Tokens {
    fn default() -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, &entropy::bytes::<32>()), begun: Instant::now() }
    }
}

impl Tokens {
    /// A token for an instance.
    pub(super) fn make(&self, instance_id: &str, lifetime: Duration) -> String {
        self.make_at(self.begun.elapsed(), instance_id, lifetime)
    }

    /// How long a token of an instance still holds; `None` when it is none, another's, or has ended.
    pub(super) fn left(&self, token: &str, instance_id: &str) -> Option<Duration> {
        self.left_at(self.begun.elapsed(), token, instance_id)
    }

    fn make_at(&self, now: Duration, instance_id: &str, lifetime: Duration) -> String {
        let end = u64::try_from((now + lifetime).as_millis()).unwrap_or(u64::MAX);
        let mut token = [0; HEAD + 32];
        token[..8].copy_from_slice(&end.to_be_bytes());
        token[8..HEAD].copy_from_slice(&entropy::bytes::<8>());
        let seal = hmac::sign(&self.key, &sealed(&token[..HEAD], instance_id));
        token[HEAD..].copy_from_slice(seal.as_ref());
        URL_SAFE.encode(token)
    }

    fn left_at(&self, now: Duration, token: &str, instance_id: &str) -> Option<Duration> {
        if token.len() != LENGTH {
            return None;
        }
        let token = URL_SAFE.decode(token).ok()?;
        let (head, seal) = token.split_at_checked(HEAD)?;
        hmac::verify(&self.key, &sealed(head, instance_id), seal).ok()?;
        let end = Duration::from_millis(u64::from_be_bytes(head.first_chunk::<8>().copied()?));
        end.checked_sub(now).filter(|left| !left.is_zero())
    }
}

/// What the seal is over. The head has one length, so no two pairs are the same bytes.
fn sealed(head: &[u8], instance_id: &str) -> Vec<u8> {
    [head, instance_id.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn a_token_is_one_instances_and_ends() {
        let tokens = Tokens::default();
        let token = tokens.make_at(HOUR, "i-1", HOUR);
        assert_eq!(token.len(), LENGTH);
        assert_eq!(tokens.left_at(HOUR, &token, "i-1"), Some(HOUR));
        assert_eq!(tokens.left_at(HOUR, &token, "i-2"), None, "another instance's");
        assert_eq!(tokens.left_at(HOUR * 2, &token, "i-1"), None, "ended");
        assert_eq!(Tokens::default().left_at(HOUR, &token, "i-1"), None, "of another service");
        assert_ne!(tokens.make_at(HOUR, "i-1", HOUR), token);
    }

    #[test]
    fn a_changed_token_is_none() {
        let tokens = Tokens::default();
        let token = tokens.make_at(Duration::ZERO, "i-1", Duration::from_secs(1));
        for at in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            assert_eq!(tokens.left_at(Duration::ZERO, &changed, "i-1"), None, "{changed}");
        }
        for garbage in ["", "AAAA", &"A".repeat(LENGTH), &"A".repeat(1 << 20), &"é".repeat(LENGTH / 2)] {
            assert_eq!(tokens.left_at(Duration::ZERO, garbage, "i-1"), None);
        }
    }
}
