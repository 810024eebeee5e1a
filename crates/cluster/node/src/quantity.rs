//! Amounts of resources as a node counts them: thousandths, and whole units.

use eksile_apimachinery::schema::Quantity;

/// In thousandths, rounded up; none when the text is not a quantity. What is too large is as large as it can be.
#[must_use]
pub(crate) fn milli(text: &str) -> Option<i64> {
    parts(text, 1_000_000)
}

/// In whole units, rounded up: bytes for memory. As [`milli`] else.
#[must_use]
pub(crate) fn units(text: &str) -> Option<i64> {
    parts(text, 1_000_000_000)
}

/// `nanos` billionths make a part.
fn parts(text: &str, nanos: i128) -> Option<i64> {
    let amount = text.parse::<Quantity>().ok()?.nanos().unwrap_or(i128::MAX);
    let (whole, rest) = (amount.div_euclid(nanos), amount.rem_euclid(nanos));
    Some(i64::try_from(whole + i128::from(rest > 0)).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_forms_are_read_and_rounded_up() {
        for (text, expected) in
            [("100m", 100), ("0.5", 500), ("2", 2000), ("1e3", 1_000_000), ("1Ki", 1_024_000), ("1u", 1), ("-1", -1000)]
        {
            assert_eq!(milli(text), Some(expected), "{text}");
        }
        assert_eq!(units("255Mi"), Some(255 << 20));
        assert_eq!(units("1500m"), Some(2));
        assert_eq!(units("2Pi"), Some(2 << 50));
        for much in ["9E", "1e40", "1e2000000000"] {
            assert_eq!(milli(much), Some(i64::MAX), "{much}");
        }
        for bad in ["", "x", "1x", "1e", "--1"] {
            assert_eq!(milli(bad), None, "{bad}");
        }
    }
}
