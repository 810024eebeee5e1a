//! Texts of a policy, compiled: letters, wildcards, and variables (`${aws:username}`, `${key, 'default'}`, `${*}`, `${?}`,
//! `${$}`). <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html>

use super::context::Reading;
use super::document::MalformedPolicy;
use super::{Context, keys};
use crate::pattern::{self, Part};

/// A text that a value of the request is compared with.
#[derive(Debug, Clone)]
pub(crate) enum Template {
    /// `*`.
    Any,
    /// Letters alone.
    Exact(String),
    /// Letters, then `*`.
    Prefix(String),
    /// With other wildcards.
    Pattern(Vec<Part>),
    /// With variables.
    Filled(Vec<Piece>),
}

#[derive(Debug, Clone)]
pub(crate) enum Piece {
    Part(Part),
    /// The key in lower case.
    Variable {
        key: String,
        default: Option<String>,
    },
}

/// What a text may hold besides letters.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Holds {
    pub(crate) wildcards: bool,
    /// Since version 2012-10-17.
    pub(crate) variables: bool,
}

impl Template {
    /// Compiles a text.
    ///
    /// # Errors
    /// A variable names a key that is not built.
    pub(crate) fn compile(text: &str, holds: Holds) -> Result<Self, MalformedPolicy> {
        let pieces = pieces(text, holds)?;
        let parts: Option<Vec<Part>> = pieces
            .iter()
            .map(|piece| match piece {
                Piece::Part(part) => Some(*part),
                Piece::Variable { .. } => None,
            })
            .collect();
        Ok(parts.map_or(Self::Filled(pieces), Self::of_parts))
    }

    /// One without variables.
    pub(crate) fn plain(text: &str) -> Self {
        Self::of_parts(text.chars().map(pattern::part).collect())
    }

    fn of_parts(parts: Vec<Part>) -> Self {
        let letters = |parts: &[Part]| parts.iter().map(Part::letter).collect::<Option<String>>();
        if !parts.is_empty() && parts.iter().all(|part| *part == Part::Any) {
            return Self::Any;
        }
        if let Some(text) = letters(&parts) {
            return Self::Exact(text);
        }
        match parts.split_last() {
            Some((Part::Any, before)) => letters(before).map_or(Self::Pattern(parts.clone()), Self::Prefix),
            _ => Self::Pattern(parts),
        }
    }

    /// Whether the whole text is as this says. A variable's value is literal, so that it cannot bring wildcards; where a
    /// variable has no value, nothing is.
    pub(crate) fn matches(&self, text: &str, context: &Context, reading: Reading) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(wanted) => wanted == text,
            Self::Prefix(wanted) => text.starts_with(&**wanted),
            Self::Pattern(parts) => pattern::matches(parts, text),
            Self::Filled(pieces) => is_filled(pieces, context, reading, |parts| pattern::matches(parts, text)),
        }
    }

    /// Whether the text is this, wildcards as they are written, without regard to case.
    pub(crate) fn is_folded(&self, text: &str, context: &Context, reading: Reading) -> bool {
        let is = |wanted: &str| wanted.to_lowercase() == text.to_lowercase();
        match self {
            Self::Any => is("*"),
            Self::Exact(wanted) => is(wanted),
            Self::Prefix(wanted) => is(&format!("{wanted}*")),
            Self::Pattern(parts) => is(&written(parts)),
            Self::Filled(pieces) => is_filled(pieces, context, reading, |parts| is(&written(parts))),
        }
    }
}

fn written(parts: &[Part]) -> String {
    let letter = |part: &Part| match part {
        Part::Any => '*',
        Part::One => '?',
        Part::Letter(letter) => *letter,
    };
    parts.iter().map(letter).collect()
}

/// In how many ways variables with several values are filled in; beyond, nobody is let in, and a denial holds.
const FILLINGS: usize = 64;

/// Whether it is so of the text with its variables filled in: for some of their values, or for every one.
fn is_filled(pieces: &[Piece], context: &Context, reading: Reading, is: impl Fn(&[Part]) -> bool) -> bool {
    match fillings(pieces, context) {
        Ok(fillings) if fillings.is_empty() => false,
        Ok(fillings) => reading.holds(fillings, |parts| is(&parts)),
        Err(TooMany) => reading == Reading::Some,
    }
}

struct TooMany;

/// The texts with variables filled in; none, where a variable has no value.
fn fillings(pieces: &[Piece], context: &Context) -> Result<Vec<Vec<Part>>, TooMany> {
    let mut fillings = vec![Vec::with_capacity(pieces.len())];
    for piece in pieces {
        let Piece::Variable { key, default } = piece else {
            let Piece::Part(part) = piece else { continue };
            fillings.iter_mut().for_each(|filling| filling.push(*part));
            continue;
        };
        let values = context.look(key).map_or(default.as_slice(), |values| &values.all);
        if fillings.len() * values.len() > FILLINGS {
            return Err(TooMany);
        }
        let with = |filling: &Vec<Part>, value: &String| {
            filling.iter().copied().chain(value.chars().map(Part::Letter)).collect::<Vec<Part>>()
        };
        fillings = values.iter().flat_map(|value| fillings.iter().map(move |filling| with(filling, value))).collect();
    }
    Ok(fillings)
}

fn pieces(text: &str, holds: Holds) -> Result<Vec<Piece>, MalformedPolicy> {
    let part = |letter| Piece::Part(if holds.wildcards { pattern::part(letter) } else { Part::Letter(letter) });
    let mut pieces = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("${").filter(|_| holds.variables) {
        let Some(end) = rest[start..].find('}').map(|length| start + length) else { break };
        pieces.extend(rest[..start].chars().map(part));
        match &rest[start + 2..end] {
            "*" => pieces.push(Piece::Part(Part::Letter('*'))),
            "?" => pieces.push(Piece::Part(Part::Letter('?'))),
            "$" => pieces.push(Piece::Part(Part::Letter('$'))),
            variable => pieces.push(named(variable)?),
        }
        rest = &rest[end + 1..];
    }
    pieces.extend(rest.chars().map(part));
    Ok(pieces)
}

fn named(variable: &str) -> Result<Piece, MalformedPolicy> {
    let (key, default) = match variable.split_once(',') {
        Some((key, default)) => (key.trim(), Some(default.trim().trim_matches('\'').to_owned())),
        None => (variable.trim(), None),
    };
    if !keys::is_built(key) {
        return Err(MalformedPolicy(format!("The policy variable ${{{key}}} is not built.")));
    }
    Ok(Piece::Variable { key: key.to_ascii_lowercase(), default })
}

/// A pattern for ARNs. A wildcard does not reach over a colon before the resource part, nor does a variable's value:
/// the pattern is cut at the colons that are written in it, before any variable has a value.
#[derive(Debug, Clone)]
pub(crate) enum ArnPattern {
    /// `*` alone.
    Any,
    /// Partition, service, Region, account and what is before and after them.
    Parts(Box<[Template; 6]>),
}

impl ArnPattern {
    /// Compiles a pattern; `None` of a text that is neither an ARN nor `*`.
    ///
    /// # Errors
    /// A variable names a key that is not built.
    pub(crate) fn compile(text: &str, holds: Holds) -> Result<Option<Self>, MalformedPolicy> {
        if !text.is_empty() && text.bytes().all(|byte| byte == b'*') {
            return Ok(Some(Self::Any));
        }
        let parts = cut(text, holds.variables);
        let templates = parts.iter().map(|part| Template::compile(part, holds)).collect::<Result<Vec<_>, _>>()?;
        let parts = <[Template; 6]>::try_from(templates).ok();
        let is_arn = |parts: &[Template; 6]| matches!(&parts[0], Template::Exact(first) if first == "arn");
        Ok(parts.filter(is_arn).map(|parts| Self::Parts(Box::new(parts))))
    }

    /// Whether an ARN, in its parts (`None` for what acts on nothing in particular), is as this says.
    pub(crate) fn matches(&self, arn: Option<&[&str; 6]>, context: &Context, reading: Reading) -> bool {
        match (self, arn) {
            (Self::Any, _) => true,
            (Self::Parts(_), None) => false,
            // The service tells most of them apart.
            (Self::Parts(parts), Some(arn)) => {
                [2, 5, 0, 1, 3, 4].into_iter().all(|at| parts[at].matches(arn[at], context, reading))
            }
        }
    }
}

/// The parts of an ARN: all but the last without colons.
pub(crate) fn arn_parts(arn: &str) -> Option<[&str; 6]> {
    let mut parts = arn.splitn(6, ':');
    let mut cut = [""; 6];
    for part in &mut cut {
        *part = parts.next()?;
    }
    Some(cut)
}

/// Up to six parts, cut at colons outside of `${…}`.
fn cut(text: &str, variables: bool) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut at) = (0, 0);
    while parts.len() < 5 {
        let Some(found) = text[at..].find([':', '$']).map(|offset| at + offset) else { break };
        let after = &text[found..];
        if after.starts_with(':') {
            parts.push(&text[start..found]);
            start = found + 1;
            at = start;
        } else {
            let skipped = if variables && after.starts_with("${") { after.find('}') } else { None };
            at = found + skipped.unwrap_or(0) + 1;
        }
    }
    parts.push(&text[start..]);
    parts
}
