//! Condition operators.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>

use std::cmp::Ordering;
use std::net::IpAddr;

use jiff::Timestamp;

use crate::pattern::{self, Part};

/// An operator, its negation apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    StringEquals,
    StringEqualsIgnoreCase,
    StringLike,
    Numeric(Compare),
    Date(Compare),
    Bool,
    BinaryEquals,
    IpAddress,
    Arn,
    Null,
}

/// An ordering asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compare {
    Equals,
    LessThan,
    LessThanEquals,
    GreaterThan,
    GreaterThanEquals,
}

impl Operator {
    /// The operator of that name, and whether it is negated.
    pub(crate) fn named(name: &str) -> Option<(Self, bool)> {
        Some(match name {
            "StringEquals" => (Self::StringEquals, false),
            "StringNotEquals" => (Self::StringEquals, true),
            "StringEqualsIgnoreCase" => (Self::StringEqualsIgnoreCase, false),
            "StringNotEqualsIgnoreCase" => (Self::StringEqualsIgnoreCase, true),
            "StringLike" => (Self::StringLike, false),
            "StringNotLike" => (Self::StringLike, true),
            "Bool" => (Self::Bool, false),
            "BinaryEquals" => (Self::BinaryEquals, false),
            "IpAddress" => (Self::IpAddress, false),
            "NotIpAddress" => (Self::IpAddress, true),
            "ArnEquals" | "ArnLike" => (Self::Arn, false),
            "ArnNotEquals" | "ArnNotLike" => (Self::Arn, true),
            "Null" => (Self::Null, false),
            _ => {
                let (of, name): (fn(Compare) -> Self, _) = match name.strip_prefix("Numeric") {
                    Some(name) => (Self::Numeric, name),
                    None => (Self::Date, name.strip_prefix("Date")?),
                };
                if name == "NotEquals" { (of(Compare::Equals), true) } else { (of(Compare::named(name)?), false) }
            }
        })
    }

    /// Whether the request's value is as wanted; the wanted one as a pattern and as text.
    pub(crate) fn holds(self, parts: &[Part], wanted: &str, given: &str) -> bool {
        match self {
            Self::StringEquals | Self::BinaryEquals => wanted == given,
            Self::StringEqualsIgnoreCase => wanted.to_lowercase() == given.to_lowercase(),
            Self::StringLike => pattern::matches(parts, given),
            Self::Bool => wanted.eq_ignore_ascii_case(given),
            Self::Numeric(compare) => compare.holds(number(given).zip(number(wanted)), f64::partial_cmp),
            Self::Date(compare) => compare.holds(time(given).zip(time(wanted)), |a, b| Some(a.cmp(b))),
            Self::IpAddress => within(wanted, given).unwrap_or(false),
            Self::Arn => arn_like(parts, given),
            // Decided by the key's presence alone, before values are compared.
            Self::Null => false,
        }
    }
}

impl Compare {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "Equals" => Self::Equals,
            "LessThan" => Self::LessThan,
            "LessThanEquals" => Self::LessThanEquals,
            "GreaterThan" => Self::GreaterThan,
            "GreaterThanEquals" => Self::GreaterThanEquals,
            _ => return None,
        })
    }

    fn holds<T>(self, pair: Option<(T, T)>, compare: impl Fn(&T, &T) -> Option<Ordering>) -> bool {
        let Some(ordering) = pair.and_then(|(given, wanted)| compare(&given, &wanted)) else { return false };
        match self {
            Self::Equals => ordering.is_eq(),
            Self::LessThan => ordering.is_lt(),
            Self::LessThanEquals => ordering.is_le(),
            Self::GreaterThan => ordering.is_gt(),
            Self::GreaterThanEquals => ordering.is_ge(),
        }
    }
}

fn number(text: &str) -> Option<f64> {
    text.parse().ok()
}

/// ISO 8601, or seconds since the epoch.
fn time(text: &str) -> Option<Timestamp> {
    match text.parse::<i64>() {
        Ok(seconds) => Timestamp::from_second(seconds).ok(),
        Err(_) => text.parse().ok(),
    }
}

/// Whether an address lies in a block (an address alone is a block of one).
fn within(block: &str, address: &str) -> Option<bool> {
    let address: IpAddr = address.parse().ok()?;
    let (base, length) = match block.split_once('/') {
        Some((base, length)) => (base, Some(length.parse::<u32>().ok()?)),
        None => (block, None),
    };
    Some(match (base.parse().ok()?, address) {
        (IpAddr::V4(base), IpAddr::V4(address)) => {
            let shift = 32_u32.checked_sub(length.unwrap_or(32))?;
            same(u128::from(base.to_bits()), u128::from(address.to_bits()), shift)
        }
        (IpAddr::V6(base), IpAddr::V6(address)) => {
            same(base.to_bits(), address.to_bits(), 128_u32.checked_sub(length.unwrap_or(128))?)
        }
        _ => false,
    })
}

fn same(a: u128, b: u128, shift: u32) -> bool {
    a.checked_shr(shift).unwrap_or(0) == b.checked_shr(shift).unwrap_or(0)
}

/// ARNs match part by part, so that a wildcard does not reach over a colon before the resource.
fn arn_like(parts: &[Part], given: &str) -> bool {
    let mut wanted = parts.splitn(6, |part| *part == Part::Letter(':'));
    let mut given = given.splitn(6, ':');
    (0..6).all(|_| match (wanted.next(), given.next()) {
        (Some(wanted), Some(given)) => pattern::matches(wanted, given),
        _ => false,
    })
}
