//! What types and fields are for, in a sentence each.
//!
//! A line per fact:
//! - `package ALIAS OPENAPI-PACKAGE`
//! - `type ALIAS.Name SENTENCE`, followed by its fields:
//! - ` FIELD SENTENCE`
//!
//! The block `type *` serves every type that does not describe such a field itself.

use std::collections::{BTreeMap, HashMap};

/// The descriptions are not well formed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("descriptions, text {text}, line {line}: {what}")]
pub struct DescriptionsError {
    text: usize,
    line: usize,
    what: String,
}

/// Sentences, borrowed from the texts they were read from.
#[derive(Debug, Default)]
pub struct Descriptions<'a> {
    types: HashMap<String, Type<'a>>,
    shared: BTreeMap<&'a str, &'a str>,
}

#[derive(Debug, Default)]
struct Type<'a> {
    sentence: &'a str,
    fields: BTreeMap<&'a str, &'a str>,
}

impl<'a> Descriptions<'a> {
    /// Reads texts, each with the packages it uses.
    ///
    /// # Errors
    /// A line that does not follow the format, or one that describes again what is described already.
    pub fn parse(texts: &[&'a str]) -> Result<Self, DescriptionsError> {
        let mut out = Self::default();
        for (text, content) in texts.iter().enumerate() {
            let mut reader = Reader { out: &mut out, packages: HashMap::new(), block: None };
            for (line, words) in content.lines().enumerate() {
                reader.read(words).map_err(|what| DescriptionsError { text, line: line + 1, what })?;
            }
        }
        Ok(out)
    }

    /// What the type of this OpenAPI name is for.
    #[must_use]
    pub fn of_type(&self, name: &str) -> Option<&'a str> {
        self.types.get(name).map(|t| t.sentence)
    }

    /// What a field of a type is for.
    #[must_use]
    pub fn of_field(&self, of: &str, field: &str) -> Option<&'a str> {
        let own = self.types.get(of).and_then(|t| t.fields.get(field));
        own.or_else(|| self.shared.get(field)).copied()
    }

    /// All types described, by OpenAPI name, with the fields described for them alone.
    pub fn types(&self) -> impl Iterator<Item = (&str, impl Iterator<Item = &'a str>)> {
        self.types.iter().map(|(name, t)| (&**name, t.fields.keys().copied()))
    }
}

/// Where a field's sentence goes.
enum Block {
    Shared,
    Type(String),
}

struct Reader<'a, 'o> {
    out: &'o mut Descriptions<'a>,
    packages: HashMap<&'a str, &'a str>,
    block: Option<Block>,
}

impl<'a> Reader<'a, '_> {
    fn read(&mut self, line: &'a str) -> Result<(), String> {
        if let Some(rest) = line.strip_prefix("package ") {
            let (alias, package) = rest.split_once(' ').ok_or("package without a name")?;
            self.packages.insert(alias, package);
        } else if line == "type *" {
            self.block = Some(Block::Shared);
        } else if let Some(rest) = line.strip_prefix("type ") {
            self.type_(rest)?;
        } else if let Some(rest) = line.strip_prefix(' ') {
            self.field(rest)?;
        } else if !line.is_empty() && !line.starts_with('#') {
            return Err("neither package, type, field nor comment".to_owned());
        }
        Ok(())
    }

    fn type_(&mut self, rest: &'a str) -> Result<(), String> {
        let (short, sentence) = rest.split_once(' ').ok_or("a type without a sentence")?;
        let (alias, name) = short.rsplit_once('.').ok_or("a type without a package")?;
        let package = self.packages.get(alias).ok_or_else(|| format!("no package {alias}"))?;
        let name = format!("{package}.{name}");
        let new = Type { sentence, fields: BTreeMap::new() };
        if self.out.types.insert(name.clone(), new).is_some() {
            return Err(format!("{short} is there twice"));
        }
        self.block = Some(Block::Type(name));
        Ok(())
    }

    fn field(&mut self, rest: &'a str) -> Result<(), String> {
        let (field, sentence) = rest.split_once(' ').ok_or("a field without a sentence")?;
        let fields = match &self.block {
            Some(Block::Shared) => &mut self.out.shared,
            Some(Block::Type(name)) => &mut self.out.types.get_mut(name).ok_or("a field before any type")?.fields,
            None => return Err("a field before any type".to_owned()),
        };
        match fields.insert(field, sentence) {
            Some(_) => Err(format!("{field} is there twice")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "# a comment\npackage c.v1 io.c.v1\ntype *\n kind What it is.\ntype c.v1.Pod Runs.\n spec Wanted.\n";

    #[test]
    fn a_types_own_sentence_goes_before_the_shared_one() {
        let more = "package c.v1 io.c.v1\ntype c.v1.Ref Points.\n kind Of what.\n";
        let read = Descriptions::parse(&[TEXT, more]).expect("well formed");
        assert_eq!(read.of_type("io.c.v1.Pod"), Some("Runs."));
        assert_eq!(read.of_field("io.c.v1.Pod", "spec"), Some("Wanted."));
        assert_eq!(read.of_field("io.c.v1.Pod", "kind"), Some("What it is."));
        assert_eq!(read.of_field("io.c.v1.Ref", "kind"), Some("Of what."));
        assert_eq!(read.of_field("io.c.v1.Ref", "spec"), None);
    }

    #[test]
    fn a_malformed_line_is_named() {
        for (line, what) in [
            ("type d.v1.Pod Runs.", "no package d.v1"),
            ("type c.v1.Pod Again.", "c.v1.Pod is there twice"),
            (" spec Again.", "spec is there twice"),
            (" lonely", "a field without a sentence"),
            ("words", "neither package, type, field nor comment"),
        ] {
            let text = format!("{TEXT}{line}\n");
            let error = Descriptions::parse(&[&text]).expect_err(line).to_string();
            assert_eq!(error, format!("descriptions, text 0, line 7: {what}"));
        }
    }
}
