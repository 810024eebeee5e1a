//! `Authorization: Bearer TOKEN` (`k8s.io/apiserver/pkg/authentication/request/bearertoken`).

use http::HeaderMap;
use http::header::AUTHORIZATION;

/// The token of a request; `None` when it has none. Bytes that are no text make a token that nobody knows: whoever shows
/// something is never taken for nobody.
#[must_use]
pub fn bearer(headers: &HeaderMap) -> Option<String> {
    let value = String::from_utf8_lossy(headers.get(AUTHORIZATION)?.as_bytes());
    let mut parts = value.trim().splitn(3, ' ');
    let scheme = parts.next()?;
    let token = parts.next().filter(|token| !token.is_empty())?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.to_owned())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn of(value: &[u8]) -> Option<String> {
        let headers = HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_bytes(value).unwrap())]);
        bearer(&headers)
    }

    #[test]
    fn a_token_is_one_word_after_the_scheme() {
        assert_eq!(of(b"Bearer t"), Some("t".to_owned()));
        assert_eq!(of(b"  bEARER t more"), Some("t".to_owned()));
        for none in [&b"Bearer"[..], b"Bearer  t", b"Basic t", b""] {
            assert_eq!(of(none), None, "{none:?}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_a_token_that_nobody_knows() {
        assert_eq!(of(b"Bearer \xff"), Some("\u{fffd}".to_owned()));
    }
}
