//! Label selectors: the tokens, the grammar and the refusals of upstream (`apimachinery/pkg/labels/selector.go`).

use std::collections::{BTreeMap, BTreeSet};

use crate::field::quote;
use crate::names;
use crate::status::StatusError;

/// The labels of an object.
pub type Labels = BTreeMap<String, String>;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Test {
    In(BTreeSet<String>),
    NotIn(BTreeSet<String>),
    Exists,
    DoesNotExist,
    Greater(i64),
    Less(i64),
}

/// A parsed `labelSelector`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LabelSelector {
    tests: Vec<(String, Test)>,
}

impl LabelSelector {
    /// Parses `a=b,c!=d,e in (f,g),!h,i,j>1`.
    ///
    /// # Errors
    /// 400 in upstream's words when it cannot be parsed.
    pub fn parse(text: &str) -> Result<Self, StatusError> {
        let tests = Parser { tokens: tokens(text), at: 0 }.selector().map_err(StatusError::bad_request)?;
        Ok(Self { tests })
    }

    /// Whether everything matches.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tests.is_empty()
    }

    /// Whether these labels match.
    #[must_use]
    pub fn matches(&self, labels: &Labels) -> bool {
        self.tests.iter().all(|(key, test)| {
            let value = labels.get(key);
            match test {
                Test::In(values) => value.is_some_and(|v| values.contains(v)),
                Test::NotIn(values) => value.is_none_or(|v| !values.contains(v)),
                Test::Exists => value.is_some(),
                Test::DoesNotExist => value.is_none(),
                Test::Greater(bound) => value.and_then(|v| v.parse::<i64>().ok()).is_some_and(|v| v > *bound),
                Test::Less(bound) => value.and_then(|v| v.parse::<i64>().ok()).is_some_and(|v| v < *bound),
            }
        })
    }
}

/// A piece of a selector. What is no symbol and no word of the grammar is a key or a value.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    /// `in` or `notin`: an operator where one may stand, else a word.
    Operator(&'static str),
    Symbol(&'static str),
    /// Symbols that mean nothing together.
    Unknown(String),
    End,
}

const SYMBOLS: &[&str] = &["==", "!=", "=", "!", "(", ")", ",", ">", "<"];
const WORDS: &[&str] = &["in", "notin"];

impl Token {
    /// As refusals show it.
    fn shown(&self) -> String {
        match self {
            Self::Word(text) => text.clone(),
            Self::Operator(text) | Self::Symbol(text) => (*text).to_owned(),
            Self::Unknown(text) => format!("error expected: keyword found '{text}'"),
            Self::End => String::new(),
        }
    }

    fn is(&self, symbol: &str) -> bool {
        matches!(self, Self::Symbol(text) if *text == symbol)
    }

    /// The key or value that it is where no operator may stand.
    fn word(&self) -> Option<&str> {
        match self {
            Self::Word(text) => Some(text),
            Self::Operator(text) => Some(text),
            _ => None,
        }
    }
}

fn special(c: char) -> bool {
    matches!(c, '=' | '!' | '(' | ')' | ',' | '>' | '<')
}

fn tokens(text: &str) -> Vec<Token> {
    let space = |c: char| matches!(c, ' ' | '\t' | '\r' | '\n');
    let mut rest = text.trim_start_matches(space);
    let mut out = Vec::new();
    while let Some(first) = rest.chars().next() {
        let length = if special(first) {
            // The longest symbol that begins here; all begin with one that is a symbol by itself.
            let symbol = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol));
            out.push(symbol.map_or_else(|| Token::Unknown(first.to_string()), |symbol| Token::Symbol(symbol)));
            symbol.map_or(first.len_utf8(), |symbol| symbol.len())
        } else {
            let length = rest.find(|c| special(c) || space(c)).unwrap_or(rest.len());
            let word = &rest[..length];
            let known = WORDS.iter().find(|known| **known == word);
            out.push(known.map_or_else(|| Token::Word(word.to_owned()), |known| Token::Operator(known)));
            length
        };
        rest = rest[length..].trim_start_matches(space);
    }
    out.push(Token::End);
    out
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

type Parsed<T> = Result<T, String>;

fn found(token: &Token, expected: &str) -> String {
    format!("found '{}', expected: {expected}", token.shown())
}

impl Parser {
    fn peek(&self) -> &Token {
        self.tokens.get(self.at).unwrap_or(&Token::End)
    }

    fn take(&mut self) -> Token {
        let token = self.peek().clone();
        self.at += 1;
        token
    }

    fn selector(mut self) -> Parsed<Vec<(String, Test)>> {
        let mut tests = Vec::new();
        loop {
            match self.peek() {
                Token::End => return Ok(tests),
                token if token.is("!") || token.word().is_some() => {}
                other => return Err(found(other, "!, identifier, or 'end of string'")),
            }
            tests.push(self.requirement().map_err(|why| format!("unable to parse requirement: {why}"))?);
            match self.take() {
                Token::End => return Ok(tests),
                token if token.is(",") => {
                    let next = self.peek();
                    if !next.is("!") && next.word().is_none() {
                        return Err(found(next, "identifier after ','"));
                    }
                }
                other => return Err(found(&other, "',' or 'end of string'")),
            }
        }
    }

    fn requirement(&mut self) -> Parsed<(String, Test)> {
        let mut token = self.take();
        let absent = token.is("!");
        if absent {
            token = self.take();
        }
        let Some(key) = token.word() else { return Err(found(&token, "identifier")) };
        let key = checked_key(key)?;
        if absent {
            return Ok((key, Test::DoesNotExist));
        }
        if *self.peek() == Token::End || self.peek().is(",") {
            return Ok((key, Test::Exists));
        }
        let operator = self.take();
        let (Token::Operator(name) | Token::Symbol(name)) = operator else {
            return Err(found(&operator, "in, notin, =, ==, !=, gt, lt"));
        };
        let values = match name {
            "in" | "notin" => self.values()?,
            "=" | "==" | "!=" | ">" | "<" => BTreeSet::from([self.value()?]),
            _ => return Err(found(&operator, "in, notin, =, ==, !=, gt, lt")),
        };
        let test = test(&key, name, values)?;
        Ok((key, test))
    }

    /// What follows `=` and the like; nothing is the empty value.
    fn value(&mut self) -> Parsed<String> {
        if *self.peek() == Token::End || self.peek().is(",") {
            return Ok(String::new());
        }
        let token = self.take();
        token.word().map(str::to_owned).ok_or_else(|| found(&token, "identifier"))
    }

    /// What follows `in` and `notin`.
    fn values(&mut self) -> Parsed<BTreeSet<String>> {
        let open = self.take();
        if !open.is("(") {
            // Upstream's own form, without a comma.
            return Err(format!("found '{}' expected: '('", open.shown()));
        }
        let first = self.peek().clone();
        if first.is(")") {
            self.take();
            return Ok(BTreeSet::from([String::new()]));
        }
        if !first.is(",") && first.word().is_none() {
            return Err(found(&first, "',', ')' or identifier"));
        }
        let values = self.list()?;
        if !self.take().is(")") {
            return Err(found(&first, "')'"));
        }
        Ok(values)
    }

    /// Up to the closing parenthesis; between two commas there is an empty value.
    fn list(&mut self) -> Parsed<BTreeSet<String>> {
        let mut values = BTreeSet::new();
        loop {
            let token = self.take();
            if let Some(value) = token.word() {
                values.insert(value.to_owned());
                match self.peek() {
                    next if next.is(",") => {}
                    next if next.is(")") => return Ok(values),
                    other => return Err(found(other, "',' or ')'")),
                }
            } else if token.is(",") {
                if values.is_empty() {
                    values.insert(String::new());
                }
                if self.peek().is(")") {
                    values.insert(String::new());
                    return Ok(values);
                }
                if self.peek().is(",") {
                    self.take();
                    values.insert(String::new());
                }
            } else {
                return Err(found(&token, "',', or identifier"));
            }
        }
    }
}

fn test(key: &str, operator: &str, values: BTreeSet<String>) -> Parsed<Test> {
    let mut problems = Vec::new();
    let mut bound = 0;
    for (index, value) in values.iter().enumerate() {
        if matches!(operator, ">" | "<") {
            bound = value.parse().unwrap_or_else(|_| {
                let why = "for 'Gt', 'Lt' operators, the value must be an integer";
                problems.push(format!("values[{index}]: Invalid value: {}: {why}", quote(value)));
                0
            });
        }
        let wrong = names::label_value(value);
        if !wrong.is_empty() {
            problems.push(format!("values[{index}][{key}]: Invalid value: {}: {}", quote(value), wrong.join("; ")));
        }
    }
    match &problems[..] {
        [] => {}
        [one] => return Err(one.clone()),
        several => return Err(format!("[{}]", several.join(", "))),
    }
    Ok(match operator {
        "notin" | "!=" => Test::NotIn(values),
        ">" => Test::Greater(bound),
        "<" => Test::Less(bound),
        _ => Test::In(values),
    })
}

fn checked_key(key: &str) -> Parsed<String> {
    let problems = names::qualified_name(key);
    if problems.is_empty() {
        return Ok(key.to_owned());
    }
    // Upstream has no path to name here, and shows so.
    Err(format!("<nil>: Invalid value: {}: {}", quote(key), problems.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What upstream says, as a kube-apiserver 1.33 answered.
    #[test]
    fn refusals_are_upstreams() {
        for (text, expected) in [
            ("app in", "unable to parse requirement: found '' expected: '('"),
            ("app in (a", "unable to parse requirement: found '', expected: ',' or ')'"),
            ("app inn (a)", "unable to parse requirement: found 'inn', expected: in, notin, =, ==, !=, gt, lt"),
            ("!a=b", "found '=', expected: ',' or 'end of string'"),
            ("a,,b", "found ',', expected: identifier after ','"),
            (",", "found ',', expected: !, identifier, or 'end of string'"),
        ] {
            assert_eq!(LabelSelector::parse(text).unwrap_err().to_string(), expected, "{text}");
        }
    }

    #[test]
    fn empty_values_are_values() {
        let empty = Labels::from([("a".to_owned(), String::new())]);
        for text in ["a=", "a in ()", "a in (x,)", "a in (,x)", "a=,a"] {
            assert!(LabelSelector::parse(text).unwrap().matches(&empty), "{text}");
        }
        let named = Labels::from([("in".to_owned(), "notin".to_owned())]);
        assert!(LabelSelector::parse("in in (notin)").unwrap().matches(&named), "words of the grammar may be labels");
    }
}
