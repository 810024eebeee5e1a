//! Quantities of resources (Kubernetes API conventions, "Quantity"), as far as a node must understand them.

/// In thousandths; none when the text is not a quantity. `100m`, `0.5`, `2`, `64Mi`, `1e3`.
#[must_use]
pub(crate) fn milli(text: &str) -> Option<i64> {
    let split = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, suffix) = text.split_at(split);
    let number: f64 = number.parse().ok()?;
    let factor = match suffix {
        "" => 1e3,
        "n" => 1e-6,
        "u" => 1e-3,
        "m" => 1.0,
        "k" => 1e6,
        "M" => 1e9,
        "G" => 1e12,
        "T" => 1e15,
        "Ki" => 1e3 * 1024.0,
        "Mi" => 1e3 * 1024.0 * 1024.0,
        "Gi" => 1e3 * 1024.0 * 1024.0 * 1024.0,
        "Ti" => 1e3 * 1024.0 * 1024.0 * 1024.0 * 1024.0,
        exponent => 1e3 * 10f64.powi(exponent.strip_prefix(['e', 'E'])?.parse().ok()?),
    };
    let value = (number * factor).ceil();
    // Beyond i64 the cast saturates, which is what a limit wants.
    value.is_finite().then_some(value as i64)
}

/// In whole units, rounded up: bytes for memory.
#[must_use]
pub(crate) fn units(text: &str) -> Option<i64> {
    Some(milli(text)?.saturating_add(999) / 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_forms_are_read() {
        for (text, expected) in [("100m", 100), ("0.5", 500), ("2", 2000), ("1e3", 1_000_000), ("1Ki", 1_024_000)] {
            assert_eq!(milli(text), Some(expected), "{text}");
        }
        assert_eq!(units("255Mi"), Some(255 << 20));
        assert_eq!(units("1500m"), Some(2));
        for bad in ["", "x", "1x", "Mi", "1e", "--1"] {
            assert_eq!(milli(bad), None, "{bad}");
        }
    }
}
