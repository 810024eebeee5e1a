//! `Condition` of a statement.

use serde_json::Value;

use super::document::MalformedPolicy;
use super::operator::Operator;
use super::{Context, variable};

/// One operator on one key: `{"StringLike": {"aws:username": ["a*", "b*"]}}`.
#[derive(Debug, Clone)]
pub(crate) struct Condition {
    operator: Operator,
    /// `Not…`.
    negated: bool,
    if_exists: bool,
    set: Option<Set>,
    key: String,
    values: Vec<String>,
}

/// How a key with several values is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Set {
    Any,
    All,
}

impl Condition {
    /// Every operator and key of a condition block.
    pub(crate) fn parse(block: Value) -> Result<Vec<Self>, MalformedPolicy> {
        let Value::Object(block) = block else { return Err(syntax()) };
        let mut conditions = Vec::new();
        for (name, keys) in block {
            let Value::Object(keys) = keys else { return Err(syntax()) };
            for (key, values) in keys {
                conditions.push(Self::named(&name, key, texts(values)?)?);
            }
        }
        Ok(conditions)
    }

    fn named(name: &str, key: String, values: Vec<String>) -> Result<Self, MalformedPolicy> {
        let (set, rest) = match name.split_once(':') {
            Some(("ForAnyValue", rest)) => (Some(Set::Any), rest),
            Some(("ForAllValues", rest)) => (Some(Set::All), rest),
            _ => (None, name),
        };
        let (rest, if_exists) = rest.strip_suffix("IfExists").map_or((rest, false), |rest| (rest, true));
        let unknown = || MalformedPolicy(format!("Invalid Condition type : {name}."));
        let (operator, negated) = Operator::named(rest).ok_or_else(unknown)?;
        Ok(Self { operator, negated, if_exists, set, key, values })
    }

    /// Whether the request meets it.
    pub(crate) fn met(&self, context: &Context, variables: bool) -> bool {
        let given = context.get(&self.key);
        if self.operator == Operator::Null {
            return self.values.iter().any(|value| value.eq_ignore_ascii_case("true") == given.is_none());
        }
        let Some(given) = given else {
            return self.if_exists || if let Some(set) = self.set { set == Set::All } else { self.negated };
        };
        let fits = |value: &String| self.fits(value, context, variables) != self.negated;
        match (self.set, self.negated) {
            (Some(Set::Any), _) | (None, false) => given.iter().any(fits),
            (Some(Set::All), _) | (None, true) => given.iter().all(fits),
        }
    }

    /// Whether the request's value is as one of the condition's values says.
    fn fits(&self, given: &str, context: &Context, variables: bool) -> bool {
        self.values.iter().any(|wanted| {
            let parts = if variables { variable::filled(wanted, context) } else { Some(unfilled(wanted)) };
            let text = if variables { variable::filled_text(wanted, context) } else { Some(wanted.clone()) };
            parts.zip(text).is_some_and(|(parts, text)| self.operator.holds(&parts, &text, given))
        })
    }
}

fn unfilled(text: &str) -> Vec<crate::pattern::Part> {
    text.chars().map(crate::pattern::part).collect()
}

fn syntax() -> MalformedPolicy {
    MalformedPolicy("Syntax errors in policy.".to_owned())
}

/// Policies write booleans and numbers with or without quotes.
fn texts(value: Value) -> Result<Vec<String>, MalformedPolicy> {
    match value {
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
