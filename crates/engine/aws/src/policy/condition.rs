//! `Condition` of a statement.

use serde_json::Value;

use super::context::Reading;
use super::document::MalformedPolicy;
use super::operator::{Operator, Wanted};
use super::{Context, keys};

/// One operator on one key: `{"StringLike": {"aws:username": ["a*", "b*"]}}`.
#[derive(Debug, Clone)]
pub(crate) struct Condition {
    operator: Operator,
    /// `Not…`.
    negated: bool,
    if_exists: bool,
    set: Option<Set>,
    /// In lower case.
    key: String,
    /// As the policy writes it.
    written: String,
    values: Vec<Wanted>,
}

/// How a key with several values is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Set {
    Any,
    All,
}

/// What a condition stands in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Surroundings {
    /// Whether variables are read.
    pub(crate) variables: bool,
    /// Whether the statement can be about a service that is built here.
    pub(crate) matters: bool,
}

impl Condition {
    /// Every operator and key of a condition block.
    pub(crate) fn parse(block: Value, around: Surroundings) -> Result<Vec<Self>, MalformedPolicy> {
        let Value::Object(block) = block else { return Err(syntax()) };
        let mut conditions = Vec::new();
        for (name, keys) in block {
            let Value::Object(keys) = keys else { return Err(syntax()) };
            for (key, values) in keys {
                conditions.push(Self::named(&name, &key, &texts(values)?, around)?);
            }
        }
        Ok(conditions)
    }

    fn named(name: &str, key: &str, values: &[String], around: Surroundings) -> Result<Self, MalformedPolicy> {
        let (set, rest) = match name.split_once(':') {
            Some(("ForAnyValue", rest)) => (Some(Set::Any), rest),
            Some(("ForAllValues", rest)) => (Some(Set::All), rest),
            _ => (None, name),
        };
        let (rest, if_exists) = rest.strip_suffix("IfExists").map_or((rest, false), |rest| (rest, true));
        let unknown = || MalformedPolicy(format!("Invalid Condition type : {name}."));
        let (operator, negated) = Operator::named(rest).ok_or_else(unknown)?;
        if operator == Operator::Null && (if_exists || set.is_some()) {
            return Err(unknown());
        }
        keys::check(key, around.matters)?;
        let values = values.iter().map(|value| operator.wanted(value, around.variables)).collect::<Result<_, _>>()?;
        let (written, key) = (key.to_owned(), key.to_ascii_lowercase());
        Ok(Self { operator, negated, if_exists, set, key, written, values })
    }

    /// The key as the policy writes it.
    pub(crate) fn written_key(&self) -> &str {
        &self.written
    }

    /// Whether the request meets it, as it is read.
    pub(crate) fn met(&self, context: &Context, reading: Reading) -> bool {
        let given = context.look(&self.key);
        if self.operator == Operator::Null {
            let absent = given.is_none();
            return self.values.iter().any(|value| matches!(value, Wanted::Bool(wanted) if *wanted == absent));
        }
        let Some(given) = given else {
            return self.if_exists || if let Some(set) = self.set { set == Set::All } else { self.negated };
        };
        let inner = reading.unless(self.negated);
        let one = |given: &String| self.values.iter().any(|wanted| wanted.fits(given, context, inner));
        let fits = |given: &String| one(given) != self.negated;
        match self.set.filter(|_| !given.unsure) {
            Some(Set::Any) => given.all.iter().any(fits),
            Some(Set::All) => given.all.iter().all(fits),
            // Several values of what should have one.
            None => reading.holds(&given.all, fits),
        }
    }
}

fn syntax() -> MalformedPolicy {
    MalformedPolicy("Syntax errors in policy.".to_owned())
}

/// Policies write booleans and numbers with or without quotes.
fn texts(value: Value) -> Result<Vec<String>, MalformedPolicy> {
    match value {
        Value::Array(items) if items.is_empty() => Err(syntax()),
        Value::Array(items) => items.into_iter().map(text).collect(),
        other => Ok(vec![text(other)?]),
    }
}

fn text(value: Value) -> Result<String, MalformedPolicy> {
    match value {
        Value::String(text) => Ok(text),
        Value::Bool(value) => Ok(value.to_string()),
        Value::Number(number) => Ok(number.to_string()),
        _ => Err(syntax()),
    }
}
