//! Amounts with suffixes (`100m`, `1.5Gi`, `12e6`), brought into upstream's canonical form.
//!
//! Source: the documentation of `k8s.io/apimachinery/pkg/api/resource`. Amounts are kept as decimal digits and a power
//! of ten, so nothing is rounded but what upstream rounds: up, to whole billionths.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// An amount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quantity {
    negative: bool,
    /// Decimal digits without leading zeros; empty for zero.
    digits: Vec<u8>,
    /// Power of ten of the last digit.
    exponent: i32,
    format: Format,
    /// The given text, where it is canonical already.
    text: Option<Box<str>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Decimal,
    Exponent,
    Binary,
}

/// The text is not a quantity. The words are upstream's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// Not of the right shape.
    #[error("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")]
    Format,
    /// No such suffix.
    #[error("unable to parse quantity's suffix")]
    Suffix,
}

/// Digits that upstream's short form holds; longer numbers are never taken as canonical.
const SHORT_DIGITS: usize = 18;
/// The largest amount in binary format.
const MAX_BINARY: &[u8] = b"9223372036854775807";
/// Nothing finer is kept.
const NANO: i32 = -9;

impl FromStr for Quantity {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let parts = split(text)?;
        let (base, power, format) = suffix(parts.suffix).ok_or(QuantityError::Suffix)?;
        let given: Vec<u8> = parts.whole.bytes().chain(parts.fraction.bytes()).collect();
        let places = i32::try_from(parts.fraction.len()).map_err(|_| QuantityError::Suffix)?;
        let leading = given.iter().take_while(|&&b| b == b'0').count();
        let mut new =
            Self { negative: parts.negative, digits: given[leading..].to_vec(), exponent: -places, format, text: None };
        let canonical = if base == 10 {
            new.exponent = power.checked_sub(places).ok_or(QuantityError::Suffix)?;
            let short = given.len() <= SHORT_DIGITS && new.exponent >= NANO;
            short && new.exponent % 3 == 0 && !given.ends_with(b"000") && leading == 0
        } else {
            (0..power).for_each(|_| double(&mut new.digits));
            let room = 14 - i64::try_from(given.len()).unwrap_or(i64::MAX) - i64::from(power) * 3 / 10;
            room >= 0 && places == 0 && parts.whole.parse::<u64>().is_ok_and(|value| value & 7 != 0)
        };
        new.round_up();
        if format == Format::Binary && new.exceeds(MAX_BINARY) {
            (new.digits, new.exponent) = (MAX_BINARY.to_vec(), 0);
        }
        if canonical {
            new.text = Some(text.into());
        }
        Ok(new)
    }
}

impl Quantity {
    /// In billionths, the finest that is kept; `None` when it is too large for that.
    #[must_use]
    pub fn nanos(&self) -> Option<i128> {
        let digits = std::str::from_utf8(&self.digits).ok()?;
        let digits = if digits.is_empty() { 0 } else { digits.parse::<i128>().ok()? };
        let power = u32::try_from(self.exponent.checked_sub(NANO)?).ok()?;
        let amount = if digits == 0 { 0 } else { digits.checked_mul(10_i128.checked_pow(power)?)? };
        Some(if self.negative { -amount } else { amount })
    }

    /// Drops what is finer than a billionth, away from zero.
    fn round_up(&mut self) {
        if self.exponent >= NANO || self.digits.is_empty() {
            return;
        }
        let cut = usize::try_from(NANO - self.exponent).unwrap_or(usize::MAX).min(self.digits.len());
        let rest = self.digits.split_off(self.digits.len() - cut);
        // All digits gone may still leave a fraction far below a billionth: it counts as one.
        self.exponent = NANO;
        if rest.iter().any(|&b| b != b'0') {
            increment(&mut self.digits);
        }
    }

    /// Whether the amount without its sign is greater than this whole number.
    fn exceeds(&self, whole: &[u8]) -> bool {
        let Some(integer) = self.integer_part() else { return true };
        match integer.len().cmp(&whole.len()).then_with(|| integer.as_slice().cmp(whole)) {
            Ordering::Greater => true,
            Ordering::Equal => !self.is_whole(),
            Ordering::Less => false,
        }
    }

    /// Digits before the point; `None` when there are too many to write out.
    fn integer_part(&self) -> Option<Vec<u8>> {
        let mut digits = self.digits.clone();
        if self.exponent >= 0 {
            let zeros = usize::try_from(self.exponent).ok().filter(|&z| z <= 64)?;
            digits.resize(digits.len() + zeros, b'0');
        } else {
            let fraction = usize::try_from(-self.exponent).ok()?;
            digits.truncate(digits.len().saturating_sub(fraction));
        }
        Some(digits)
    }

    fn is_whole(&self) -> bool {
        let fraction = usize::try_from(-self.exponent).unwrap_or(0);
        let (len, zeros) = (self.digits.len(), self.digits.iter().rev().take_while(|&&b| b == b'0').count());
        len == 0 || zeros >= fraction
    }

    fn write_binary(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let integer = self.integer_part().unwrap_or_default();
        let text = String::from_utf8_lossy(&integer);
        let mut amount = text.parse::<u64>().unwrap_or(0);
        let mut times = 0;
        while amount != 0 && amount % 1024 == 0 {
            amount /= 1024;
            times += 1;
        }
        let suffix = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"].get(times).unwrap_or(&"");
        write!(f, "{amount}{suffix}")
    }

    /// Power of ten a multiple of three, as few digits as that allows.
    fn write_decimal(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let zeros = self.digits.iter().rev().take_while(|&&b| b == b'0').count();
        let digits = &self.digits[..self.digits.len() - zeros];
        let exponent = i64::from(self.exponent) + i64::try_from(zeros).unwrap_or(0);
        let floor = exponent.div_euclid(3) * 3;
        f.write_str(&String::from_utf8_lossy(digits))?;
        (floor..exponent).try_for_each(|_| f.write_str("0"))?;
        if self.format == Format::Exponent {
            return if floor == 0 { Ok(()) } else { write!(f, "e{floor}") };
        }
        // Beyond its suffixes upstream writes none.
        let suffixes = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];
        let at = usize::try_from(floor / 3 + 3).ok();
        f.write_str(at.and_then(|i| suffixes.get(i)).unwrap_or(&""))
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(text) = &self.text {
            return f.write_str(text);
        }
        if self.digits.is_empty() {
            return f.write_str("0");
        }
        if self.negative {
            f.write_str("-")?;
        }
        let large = self.exceeds(b"1023") && (self.is_whole() || self.exceeds(b"1024"));
        if self.format == Format::Binary && large && self.is_whole() {
            self.write_binary(f)
        } else {
            self.write_decimal(f)
        }
    }
}

fn double(digits: &mut Vec<u8>) {
    let mut carry = 0;
    for digit in digits.iter_mut().rev() {
        let value = (*digit - b'0') * 2 + carry;
        *digit = b'0' + value % 10;
        carry = value / 10;
    }
    if carry > 0 {
        digits.insert(0, b'0' + carry);
    }
}

fn increment(digits: &mut Vec<u8>) {
    for digit in digits.iter_mut().rev() {
        if *digit < b'9' {
            *digit += 1;
            return;
        }
        *digit = b'0';
    }
    digits.insert(0, b'1');
}

struct Parts<'a> {
    negative: bool,
    whole: &'a str,
    fraction: &'a str,
    suffix: &'a str,
}

fn split(text: &str) -> Result<Parts<'_>, QuantityError> {
    let (negative, rest) = match text.as_bytes().first() {
        None => return Err(QuantityError::Format),
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        Some(_) => (false, text),
    };
    let (digits, mut rest) = rest.split_at(rest.bytes().take_while(u8::is_ascii_digit).count());
    let mut fraction = "";
    if let Some(after) = rest.strip_prefix('.') {
        (fraction, rest) = after.split_at(after.bytes().take_while(u8::is_ascii_digit).count());
    }
    let tail = rest.trim_start_matches(|c| "eEinumkKMGTP".contains(c));
    let tail = tail.strip_prefix(['-', '+']).unwrap_or(tail);
    if !tail.bytes().all(|b| b.is_ascii_digit()) {
        return Err(QuantityError::Format);
    }
    let whole = digits.trim_start_matches('0');
    Ok(Parts { negative, whole: if whole.is_empty() { "0" } else { whole }, fraction, suffix: rest })
}

/// Base, power of it, format.
fn suffix(text: &str) -> Option<(u32, i32, Format)> {
    let decimal = |power| Some((10, power, Format::Decimal));
    let binary = |power| Some((2, power, Format::Binary));
    match text {
        "" => decimal(0),
        "n" => decimal(-9),
        "u" => decimal(-6),
        "m" => decimal(-3),
        "k" => decimal(3),
        "M" => decimal(6),
        "G" => decimal(9),
        "T" => decimal(12),
        "P" => decimal(15),
        "E" => decimal(18),
        "Ki" => binary(10),
        "Mi" => binary(20),
        "Gi" => binary(30),
        "Ti" => binary(40),
        "Pi" => binary(50),
        "Ei" => binary(60),
        _ => {
            let power = text.strip_prefix(['e', 'E'])?.parse::<i32>().ok()?;
            Some((10, power, Format::Exponent))
        }
    }
}
