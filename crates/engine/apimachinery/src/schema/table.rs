//! Reads the table of facts.
//!
//! A line per fact, words separated by one space:
//! - `package ALIAS OPENAPI-PACKAGE`
//! - `type ALIAS.Name [kind:API-VERSION/KIND]… [atomic]`, followed by its fields:
//! - ` NAME TYPE [#NUMBERS] [o] [r] [list:…] [map:…] [patch:…] [default:JSON] [enum:A|B]` (`#`: numbers in
//!   protobuf, `o`: not written when empty, `r`: required)
//!
//! A type is `*T` (pointer), `[]T`, `{}T` (map from text), a scalar, or a struct's name; `GO-NAME:` precedes where
//! Go's name cannot be derived.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::types::{Field, Kind, ListType, Node, PatchRule, Schemas, Struct, StructId, is_struct_like, zero};

/// The table is not well formed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("schema table, line {line}: {what}")]
pub struct TableError {
    line: usize,
    what: String,
}

impl Schemas {
    /// Reads a table.
    ///
    /// # Errors
    /// A line that does not follow the format, or a type that is named but not there.
    pub fn parse(text: &str) -> Result<Self, TableError> {
        let mut reader = Reader::default();
        for (number, line) in text.lines().enumerate() {
            reader.collect_name(line).map_err(|what| TableError { line: number + 1, what })?;
        }
        for (number, line) in text.lines().enumerate() {
            reader.read(line).map_err(|what| TableError { line: number + 1, what })?;
        }
        Ok(finish(reader))
    }
}

#[derive(Default)]
struct Reader<'a> {
    packages: HashMap<&'a str, &'a str>,
    ids: HashMap<&'a str, StructId>,
    structs: Vec<Struct>,
}

impl<'a> Reader<'a> {
    fn collect_name(&mut self, line: &'a str) -> Result<(), String> {
        if let Some(rest) = line.strip_prefix("package ") {
            let (alias, package) = rest.split_once(' ').ok_or("package without a name")?;
            self.packages.insert(alias, package);
        } else if let Some(rest) = line.strip_prefix("type ") {
            let name = rest.split(' ').next().unwrap_or(rest);
            let id = u32::try_from(self.ids.len()).map_err(|_| "too many types")?;
            if self.ids.insert(name, StructId(id)).is_some() {
                return Err(format!("{name} is there twice"));
            }
        }
        Ok(())
    }

    fn read(&mut self, line: &'a str) -> Result<(), String> {
        if let Some(rest) = line.strip_prefix("type ") {
            let new = self.read_type(rest)?;
            self.structs.push(new);
        } else if let Some(rest) = line.strip_prefix(' ') {
            let field = self.read_field(rest)?;
            let last = self.structs.last_mut().ok_or("a field before any type")?;
            // The decoder keeps the fields that it has seen in a set of 128 bits.
            if last.fields.len() == 128 {
                return Err(format!("{} has more than 128 fields", last.name));
            }
            last.fields.push(field);
        } else if !line.is_empty() && !line.starts_with('#') && !line.starts_with("package ") {
            return Err("neither package, type, field nor comment".to_owned());
        }
        Ok(())
    }

    fn read_type(&self, rest: &str) -> Result<Struct, String> {
        let mut words = rest.split(' ');
        let short = words.next().unwrap_or_default();
        let (alias, name) = short.rsplit_once('.').ok_or("a type without a package")?;
        let package = self.packages.get(alias).ok_or_else(|| format!("no package {alias}"))?;
        let mut new = Struct {
            name: format!("{package}.{name}").into(),
            fields: Vec::new(),
            kinds: Vec::new(),
            atomic: false,
            order: Vec::new(),
            always: Vec::new(),
            zero: Value::Null,
            defaulted: false,
        };
        for word in words {
            if word == "atomic" {
                new.atomic = true;
            } else if let Some((version, kind)) = word.strip_prefix("kind:").and_then(|w| w.rsplit_once('/')) {
                new.kinds.push((version.into(), kind.into()));
            } else {
                return Err(format!("unknown word {word}"));
            }
        }
        Ok(new)
    }

    fn read_field(&self, rest: &str) -> Result<Field, String> {
        let mut words = rest.split(' ');
        let name = words.next().unwrap_or_default();
        let expression = words.next().ok_or("a field without a type")?;
        let (pointer, expression) = match expression.strip_prefix('*') {
            Some(inner) => (true, inner),
            None => (false, expression),
        };
        let mut field = Field {
            name: name.into(),
            node: self.read_node(expression)?,
            pointer,
            omit_empty: false,
            numbers: Box::default(),
            required: false,
            default: None,
            list: ListType::Atomic,
            list_given: None,
            atomic: false,
            granular: false,
            patch: PatchRule::default(),
            values: Vec::new(),
        };
        for word in words {
            read_flag(&mut field, word)?;
        }
        Ok(field)
    }

    fn read_node(&self, expression: &str) -> Result<Node, String> {
        if let Some(inner) = expression.strip_prefix("[]") {
            let element = self.read_node(inner)?;
            let go = format!("[]{}", element.go).into();
            return Ok(Node { kind: Kind::List(Box::new(element)), go });
        }
        if let Some(inner) = expression.strip_prefix("{}") {
            let element = self.read_node(inner)?;
            let go = format!("map[string]{}", element.go).into();
            return Ok(Node { kind: Kind::Map(Box::new(element)), go });
        }
        if let Some((go, inner)) = expression.split_once(':') {
            return Ok(Node { kind: self.read_node(inner)?.kind, go: go.into() });
        }
        let (kind, go) = match expression {
            "string" => (Kind::String, "string"),
            "bool" => (Kind::Bool, "bool"),
            "int32" => (Kind::Int32, "int32"),
            "int64" => (Kind::Int64, "int64"),
            "float64" => (Kind::Float64, "float64"),
            "bytes" => (Kind::Bytes, "[]uint8"),
            "time" => (Kind::Time, "v1.Time"),
            "microtime" => (Kind::MicroTime, "v1.MicroTime"),
            "quantity" => (Kind::Quantity, "resource.Quantity"),
            "intorstring" => (Kind::IntOrString, "intstr.IntOrString"),
            "raw" => (Kind::Raw, "runtime.RawExtension"),
            name => {
                let id = self.ids.get(name).ok_or_else(|| format!("no type {name}"))?;
                // core.v1.Pod is v1.Pod in Go.
                (Kind::Struct(*id), name.split_once('.').map_or(name, |(_, go)| go))
            }
        };
        Ok(Node { kind, go: go.into() })
    }
}

fn read_flag(field: &mut Field, word: &str) -> Result<(), String> {
    match word {
        "o" => field.omit_empty = true,
        _ if word.starts_with('#') => {
            let numbers: Result<_, _> = word[1..].split('.').map(str::parse).collect();
            field.numbers = numbers.map_err(|_| format!("bad numbers {word}"))?;
        }
        "r" => field.required = true,
        "map:atomic" => field.atomic = true,
        "map:granular" => field.granular = true,
        "list:atomic" => field.list_given = Some(ListType::Atomic),
        "list:set" => {
            field.list = ListType::Set;
            field.list_given = Some(ListType::Set);
        }
        _ => {
            let (name, value) = word.split_once(':').ok_or_else(|| format!("unknown word {word}"))?;
            match name {
                "list" => {
                    field.list = ListType::Map(arguments(value, "map")?);
                    field.list_given = Some(field.list.clone());
                }
                "patch" => field.patch = read_patch(value)?,
                "default" => field.default = Some(serde_json::from_str(value).map_err(|e| e.to_string())?),
                "enum" => field.values = value.split('|').map(Into::into).collect(),
                _ => return Err(format!("unknown word {word}")),
            }
        }
    }
    Ok(())
}

/// `a,b` of `name(a,b)`.
fn arguments(text: &str, name: &str) -> Result<Vec<Box<str>>, String> {
    let inner = text.strip_prefix(name).and_then(|t| t.strip_prefix('(')).and_then(|t| t.strip_suffix(')'));
    Ok(inner.ok_or_else(|| format!("{name}(…) expected, not {text}"))?.split(',').map(Into::into).collect())
}

fn read_patch(text: &str) -> Result<PatchRule, String> {
    let (strategies, key) = match text.split_once('(') {
        Some((strategies, key)) => (strategies, Some(key.strip_suffix(')').ok_or("patch: no closing bracket")?)),
        None => (text, None),
    };
    let mut rule = PatchRule { key: key.map(Into::into), ..PatchRule::default() };
    for strategy in strategies.split(',') {
        match strategy {
            "merge" => rule.merge = true,
            "replace" => rule.replace = true,
            "retainKeys" => rule.retain_keys = true,
            _ => return Err(format!("unknown patch strategy {strategy}")),
        }
    }
    Ok(rule)
}

/// Everything that is derived: indices, zero values, which types have defaults somewhere.
fn finish(reader: Reader<'_>) -> Schemas {
    let mut all = Schemas { structs: reader.structs, names: HashMap::new(), kinds: HashMap::new() };
    for (at, one) in all.structs.iter_mut().enumerate() {
        let id = StructId(u32::try_from(at).expect("counted in 32 bits before"));
        one.order = (0..one.fields.len()).map(|i| u16::try_from(i).expect("at most 128 fields")).collect();
        let fields = &one.fields;
        one.order.sort_by(|&a, &b| fields[usize::from(a)].name.cmp(&fields[usize::from(b)].name));
        let always = |f: &Field| !f.omit_empty || (!f.pointer && is_struct_like(&f.node.kind));
        one.always = one.order.iter().copied().filter(|&i| always(&fields[usize::from(i)])).collect();
        all.names.insert(one.name.clone(), id);
        for (version, kind) in &one.kinds {
            all.kinds.insert((version.clone(), kind.clone()), id);
        }
    }
    for at in 0..all.structs.len() {
        fill_zero(&mut all, at);
    }
    mark_defaulted(&mut all);
    all
}

/// Go's types cannot contain themselves without a pointer in between, so this ends.
fn fill_zero(all: &mut Schemas, at: usize) {
    if !all.structs[at].zero.is_null() {
        return;
    }
    let mut fields = Map::new();
    for i in all.structs[at].always.clone() {
        let field = &all.structs[at].fields[usize::from(i)];
        let name = String::from(&*field.name);
        if field.pointer {
            fields.insert(name, Value::Null);
            continue;
        }
        if let Kind::Struct(StructId(inner)) = field.node.kind {
            fill_zero(all, inner as usize);
        }
        let field = &all.structs[at].fields[usize::from(i)];
        fields.insert(name, zero(all, &field.node));
    }
    all.structs[at].zero = Value::Object(fields);
}

/// Spreads "has a default" from the types that have one to those that contain them, until nothing changes.
fn mark_defaulted(all: &mut Schemas) {
    fn inner(kind: &Kind) -> Option<usize> {
        match kind {
            Kind::Struct(id) => Some(id.0 as usize),
            Kind::List(node) | Kind::Map(node) => inner(&node.kind),
            _ => None,
        }
    }
    loop {
        let mut changed = false;
        for at in 0..all.structs.len() {
            let one = &all.structs[at];
            let below =
                |f: &Field| f.default.is_some() || inner(&f.node.kind).is_some_and(|i| all.structs[i].defaulted);
            if !one.defaulted && one.fields.iter().any(below) {
                all.structs[at].defaulted = true;
                changed = true;
            }
        }
        if !changed {
            return;
        }
    }
}
