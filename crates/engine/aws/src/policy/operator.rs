//! Condition operators, with the values of a policy compiled.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>

use std::cmp::Ordering;
use std::net::IpAddr;

use jiff::Timestamp;

use super::Context;
use super::context::Reading;
use super::document::MalformedPolicy;
use super::template::{ArnPattern, Holds, Template, arn_parts};

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

/// A policy's value, as its operator reads it.
#[derive(Debug, Clone)]
pub(crate) enum Wanted {
    Text(Template),
    /// Without regard to case: compared once variables are filled in.
    Folded(Template),
    Number(Compare, f64),
    Time(Compare, Timestamp),
    Bool(bool),
    Block(Block),
    Arn(ArnPattern),
}

/// A block of addresses, or one address.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Block {
    base: IpAddr,
    /// How many bits are free.
    shift: u32,
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

    /// A value of a policy, compiled.
    ///
    /// # Errors
    /// The operator cannot read it (a number that is none), or it names a variable that is not built.
    pub(crate) fn wanted(self, text: &str, variables: bool) -> Result<Wanted, MalformedPolicy> {
        let holds = |wildcards| Holds { wildcards, variables };
        let unfit = |kind: &str| MalformedPolicy(format!("Invalid {kind} in a condition: {text}"));
        Ok(match self {
            Self::StringEquals => Wanted::Text(Template::compile(text, holds(false))?),
            Self::BinaryEquals => Wanted::Text(Template::compile(text, Holds { wildcards: false, variables: false })?),
            Self::StringEqualsIgnoreCase => Wanted::Folded(Template::compile(text, holds(false))?),
            Self::StringLike => Wanted::Text(Template::compile(text, holds(true))?),
            Self::Arn => Wanted::Arn(ArnPattern::compile(text, holds(true))?.ok_or_else(|| unfit("ARN"))?),
            Self::Bool | Self::Null => Wanted::Bool(truth(text).ok_or_else(|| unfit("Boolean"))?),
            Self::Numeric(compare) => Wanted::Number(compare, number(text).ok_or_else(|| unfit("number"))?),
            Self::Date(compare) => Wanted::Time(compare, time(text).ok_or_else(|| unfit("date"))?),
            Self::IpAddress => Wanted::Block(Block::parse(text).ok_or_else(|| unfit("IP address"))?),
        })
    }
}

impl Wanted {
    /// Whether the request's value is as wanted, as variables are read.
    pub(crate) fn fits(&self, given: &str, context: &Context, reading: Reading) -> bool {
        match self {
            Self::Text(template) => template.matches(given, context, reading),
            Self::Folded(template) => template.is_folded(given, context, reading),
            Self::Number(compare, wanted) => {
                number(given).is_some_and(|given| compare.holds(given.partial_cmp(wanted)))
            }
            Self::Time(compare, wanted) => time(given).is_some_and(|given| compare.holds(Some(given.cmp(wanted)))),
            Self::Bool(wanted) => truth(given) == Some(*wanted),
            Self::Block(block) => given.parse().is_ok_and(|address| block.holds(address)),
            Self::Arn(pattern) => pattern.matches(arn_parts(given).as_ref(), context, reading),
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

    fn holds(self, ordering: Option<Ordering>) -> bool {
        ordering.is_some_and(|ordering| match self {
            Self::Equals => ordering.is_eq(),
            Self::LessThan => ordering.is_lt(),
            Self::LessThanEquals => ordering.is_le(),
            Self::GreaterThan => ordering.is_gt(),
            Self::GreaterThanEquals => ordering.is_ge(),
        })
    }
}

fn truth(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        return Some(true);
    }
    text.eq_ignore_ascii_case("false").then_some(false)
}

fn number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

/// ISO 8601 (a day alone is its beginning, in UTC), or seconds since the epoch.
fn time(text: &str) -> Option<Timestamp> {
    if let Ok(seconds) = text.parse::<i64>() {
        return Timestamp::from_second(seconds).ok();
    }
    text.parse().ok().or_else(|| format!("{}T00:00:00Z", text.strip_suffix('Z').unwrap_or(text)).parse().ok())
}

impl Block {
    fn parse(text: &str) -> Option<Self> {
        let (base, length) = match text.split_once('/') {
            Some((base, length)) => (base, Some(length.parse::<u32>().ok()?)),
            None => (text, None),
        };
        let base: IpAddr = base.parse().ok()?;
        let bits: u32 = if base.is_ipv4() { 32 } else { 128 };
        Some(Self { base, shift: bits.checked_sub(length.unwrap_or(bits))? })
    }

    fn holds(&self, address: IpAddr) -> bool {
        let bits = |address: IpAddr| match address {
            IpAddr::V4(address) => u128::from(address.to_bits()),
            IpAddr::V6(address) => address.to_bits(),
        };
        let cut = |address| bits(address).checked_shr(self.shift).unwrap_or(0);
        self.base.is_ipv4() == address.is_ipv4() && cut(self.base) == cut(address)
    }
}
