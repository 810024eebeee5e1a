//! Where a list in pages goes on: the `continue` token.

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{GeneralPurpose, general_purpose};
use serde_json::{Value, json};

use crate::status::StatusError;
use eksile_apimachinery::schema::{Untyped, shape};

/// As Go decodes it: no padding, and the last bits may be anything.
const ENCODING: GeneralPurpose =
    GeneralPurpose::new(&URL_SAFE, general_purpose::NO_PAD.with_decode_allow_trailing_bits(true));

/// The version of the token's form.
const VERSION: &str = "meta.k8s.io/v1";

/// Where a list goes on.
pub(super) struct Continue {
    /// The revision of the whole list.
    pub(super) revision: u64,
    /// The last key of the page before, without the list's prefix.
    pub(super) start: String,
}

impl Continue {
    /// Reads a token.
    ///
    /// # Errors
    /// 400 in upstream's words.
    pub(super) fn read(text: &str) -> Result<Self, StatusError> {
        decode(text).map_err(|why| {
            StatusError::bad_request(format!("invalid continue token: continue key is not valid: {why}"))
        })
    }

    /// Writes it.
    pub(super) fn write(&self) -> String {
        let token = json!({ "v": VERSION, "rv": self.revision, "start": self.start });
        ENCODING.encode(token.to_string())
    }
}

fn decode(text: &str) -> Result<Continue, String> {
    let bytes = ENCODING.decode(text).map_err(|_| format!("illegal base64 data at input byte {}", bad_byte(text)))?;
    let token = Untyped::parse(&bytes)?.value;
    if !matches!(token, Value::Object(_) | Value::Null) {
        let found = shape(&token);
        return Err(format!("json: cannot unmarshal {found} into Go value of type storage.continueToken"));
    }
    let wrong = |name: &str, go: &str, value: &Value| {
        let found = shape(value);
        let shown = if value.is_f64() && go == "int64" { format!("{found} {value}") } else { found.to_owned() };
        format!("json: cannot unmarshal {shown} into Go struct field continueToken.{name} of type {go}")
    };
    let words = |name: &str| match token.get(name) {
        None | Some(Value::Null) => Ok(""),
        Some(Value::String(text)) => Ok(text.as_str()),
        Some(other) => Err(wrong(name, "string", other)),
    };
    let (version, start) = (words("v")?, words("start")?);
    let revision = match token.get("rv") {
        None | Some(Value::Null) => 0,
        Some(value) => value.as_i64().ok_or_else(|| wrong("rv", "int64", value))?,
    };
    if version != VERSION {
        return Err(format!("server does not recognize this encoded version {version}"));
    }
    let revision = u64::try_from(revision).unwrap_or(0);
    if revision == 0 {
        return Err("incorrect encoded start resourceVersion (version meta.k8s.io/v1)".to_owned());
    }
    if start.is_empty() {
        return Err("encoded start key empty (version meta.k8s.io/v1)".to_owned());
    }
    if start.trim_start_matches('/').split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err(start.to_owned());
    }
    Ok(Continue { revision, start: start.to_owned() })
}

/// The byte at which Go's decoder stops: the first that is not of the alphabet, or a last one that stands alone.
fn bad_byte(text: &str) -> usize {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    text.bytes().position(|byte| !known(byte)).unwrap_or_else(|| text.len().saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_comes_back() {
        let token = Continue { revision: 7, start: "ns/name".to_owned() }.write();
        let read = Continue::read(&token).expect("a token");
        assert_eq!((read.revision, &*read.start), (7, "ns/name"));
    }

    #[test]
    fn foreign_tokens_are_refused_in_upstreams_words() {
        let why = |text: &str| decode(text).err().expect("an error");
        assert_eq!(why("garbage"), "invalid character '\\u0081' looking for beginning of value");
        assert_eq!(why("!!!!"), "illegal base64 data at input byte 0");
        assert_eq!(why("abcde"), "illegal base64 data at input byte 4");
        let of = |json: &str| why(&ENCODING.encode(json));
        assert_eq!(of("[]"), "json: cannot unmarshal array into Go value of type storage.continueToken");
        assert_eq!(
            of(r#"{"v":1}"#),
            "json: cannot unmarshal number into Go struct field continueToken.v of type string"
        );
        assert_eq!(of(r#"{"v":"x"}"#), "server does not recognize this encoded version x");
        assert_eq!(of(r#"{"v":"meta.k8s.io/v1","rv":5,"start":"../x"}"#), "../x");
    }
}
