//! What a scalar means in YAML 1.1, as upstream's parser takes it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A scalar's value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Scalar {
    Null,
    Bool(bool),
    Int(i64),
    /// A whole number above the largest `i64`.
    Big(u64),
    Float(f64),
    Text(String),
}

const LONG: &str = "tag:yaml.org,2002:";

impl Scalar {
    fn tag(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "bool",
            Self::Int(_) | Self::Big(_) => "int",
            Self::Float(_) => "float",
            Self::Text(_) => "str",
        }
    }
}

/// The value of a scalar with this tag (in its long form), written plainly or not.
///
/// # Errors
/// It cannot have that tag.
pub(crate) fn resolve(tag: Option<&str>, plain: bool, text: &str) -> Result<Scalar, String> {
    let as_text = || Scalar::Text(text.to_owned());
    let Some(tag) = tag else { return Ok(if plain { meaning(text) } else { as_text() }) };
    let wrong = |found: &str, tag: &str| Err(format!("cannot decode !!{found} `{text}` as a !!{tag}"));
    match (tag.strip_prefix(LONG), meaning(text)) {
        (Some("binary"), _) => match STANDARD.decode(text.replace(['\n', '\r'], "")) {
            Ok(bytes) => Ok(Scalar::Text(String::from_utf8_lossy(&bytes).into_owned())),
            Err(_) => Err("!!binary value contains invalid base64 data".to_owned()),
        },
        (Some("float"), Scalar::Int(whole)) => Ok(Scalar::Float(whole as f64)),
        (Some(tag @ ("bool" | "int" | "float" | "null")), value) if value.tag() == tag => Ok(value),
        (Some(tag @ ("bool" | "int" | "float" | "null")), value) => wrong(value.tag(), tag),
        // Upstream hands times on as they are written; tags of nobody's mean nothing.
        _ => Ok(as_text()),
    }
}

/// What a plain scalar without a tag means.
pub(crate) fn meaning(text: &str) -> Scalar {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Scalar::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => return Scalar::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Scalar::Bool(false);
        }
        ".nan" | ".NaN" | ".NAN" => return Scalar::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Scalar::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Scalar::Float(f64::NEG_INFINITY),
        _ => {}
    }
    let number = match text.as_bytes()[0] {
        b'.' => float(text),
        b'0'..=b'9' | b'+' | b'-' => {
            let bare = text.replace('_', "");
            whole(&bare).or_else(|| float(&bare))
        }
        _ => None,
    };
    number.unwrap_or_else(|| Scalar::Text(text.to_owned()))
}

/// A whole number in Go's notation: `0x`, `0o`, `0b`, or a leading zero for octal.
fn whole(text: &str) -> Option<Scalar> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let lower = digits.to_ascii_lowercase();
    let (base, digits) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, &lower[2..]),
        [b'0', b'o', ..] => (8, &lower[2..]),
        [b'0', b'b', ..] => (2, &lower[2..]),
        [b'0', _, ..] => (8, &lower[1..]),
        _ => (10, &lower[..]),
    };
    if !digits.bytes().next()?.is_ascii_alphanumeric() {
        return None;
    }
    let size = u64::from_str_radix(digits, base).ok()?;
    if negative {
        return 0i64.checked_sub_unsigned(size).map(Scalar::Int);
    }
    match i64::try_from(size) {
        Ok(small) => Some(Scalar::Int(small)),
        // Only a number without a sign may be larger.
        Err(_) if text.starts_with('+') => None,
        Err(_) => Some(Scalar::Big(size)),
    }
}

/// `-1.5e3`; neither infinite nor out of range.
fn float(text: &str) -> Option<Scalar> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => (&unsigned[..at], Some(&unsigned[at + 1..])),
        None => (unsigned, None),
    };
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let (before, after) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let some = !before.is_empty() || !after.is_empty();
    let exponent = exponent.is_none_or(|e| {
        let e = e.strip_prefix(['+', '-']).unwrap_or(e);
        !e.is_empty() && digits(e)
    });
    if !(some && digits(before) && digits(after) && exponent) {
        return None;
    }
    text.parse().ok().filter(|f: &f64| f.is_finite()).map(Scalar::Float)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_mean_what_yaml_1_1_says() {
        for text in ["y", "Yes", "ON", "true"] {
            assert_eq!(meaning(text), Scalar::Bool(true), "{text}");
        }
        for text in ["n", "No", "OFF", "False"] {
            assert_eq!(meaning(text), Scalar::Bool(false), "{text}");
        }
        for text in ["yEs", "nope", "0x", "1.2.3", "2001-12-14", ".", "1e", "+", "0b2", "1:30", "-"] {
            assert_eq!(meaning(text), Scalar::Text(text.to_owned()), "{text}");
        }
        for (text, value) in
            [("010", 8), ("0o17", 15), ("-0x1F", -31), ("1_000", 1000), ("0b11", 3), ("+5", 5), ("0", 0)]
        {
            assert_eq!(meaning(text), Scalar::Int(value), "{text}");
        }
        for (text, value) in [("08", 8.0), (".5", 0.5), ("1e3", 1000.0), ("-1.", -1.0)] {
            assert_eq!(meaning(text), Scalar::Float(value), "{text}");
        }
        assert_eq!(meaning("18446744073709551615"), Scalar::Big(u64::MAX));
        assert_eq!(meaning("-9223372036854775808"), Scalar::Int(i64::MIN));
    }

    #[test]
    fn a_tag_decides() {
        let tagged = |tag: &str, text| resolve(Some(&format!("{LONG}{tag}")), false, text);
        assert_eq!(tagged("int", "5"), Ok(Scalar::Int(5)));
        assert_eq!(tagged("str", "5"), Ok(Scalar::Text("5".into())));
        assert_eq!(tagged("float", "5"), Ok(Scalar::Float(5.0)));
        assert_eq!(tagged("binary", "aGk="), Ok(Scalar::Text("hi".into())));
        assert_eq!(tagged("bool", "5"), Err("cannot decode !!int `5` as a !!bool".into()));
        assert_eq!(resolve(None, false, "yes"), Ok(Scalar::Text("yes".into())));
    }
}
