//! Policy variables: `${aws:username}`, `${key, 'default'}`, and `${*}`, `${?}`, `${$}`.

use super::Context;
use crate::pattern::{Part, part};

/// A pattern with its variables filled in; a variable's value is literal, so it cannot bring wildcards.
/// `None` when a variable has no value: then nothing matches.
pub(crate) fn filled(pattern: &str, context: &Context) -> Option<Vec<Part>> {
    let mut parts = Vec::with_capacity(pattern.len());
    let mut rest = pattern;
    while let Some(start) = rest.find("${") {
        let Some(end) = rest[start..].find('}').map(|length| start + length) else { break };
        parts.extend(rest[..start].chars().map(part));
        parts.extend(value(&rest[start + 2..end], context)?.chars().map(Part::Letter));
        rest = &rest[end + 1..];
    }
    parts.extend(rest.chars().map(part));
    Some(parts)
}

/// The same, as text without wildcards, for operators that compare whole values.
pub(crate) fn filled_text(pattern: &str, context: &Context) -> Option<String> {
    let parts = filled(pattern, context)?;
    let letter = |part| match part {
        Part::Any => '*',
        Part::One => '?',
        Part::Letter(letter) => letter,
    };
    Some(parts.into_iter().map(letter).collect())
}

fn value(variable: &str, context: &Context) -> Option<String> {
    match variable {
        "*" | "?" | "$" => return Some(variable.to_owned()),
        _ => {}
    }
    let (key, default) = match variable.split_once(',') {
        Some((key, default)) => (key.trim(), Some(default.trim().trim_matches('\''))),
        None => (variable.trim(), None),
    };
    context.single(key).or(default).map(str::to_owned)
}
