//! Strategic merge patch: lists of structs merge by key, and directives say what else to do.
//!
//! `$patch: replace | delete | merge`, `$deleteFromPrimitiveList/FIELD`, `$setElementOrder/FIELD`, `$retainKeys`.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use super::order::{Places, interleave, same};
use super::{PatchError, go};
use crate::schema::{Kind, Node, PatchRule, Schema, Schemas, Struct};

const DIRECTIVE: &str = "$patch";
const DELETE_FROM: &str = "$deleteFromPrimitiveList";
const ORDER: &str = "$setElementOrder";
const RETAIN: &str = "$retainKeys";

type Fields = Map<String, Value>;

/// Merges a patch into an object.
pub(super) fn merge(schema: &Schema, original: Fields, patch: Fields) -> Result<Fields, PatchError> {
    let place = Place { schemas: &schema.types, at: At::Struct(schema.root()) };
    place.merge_map(original, patch)
}

fn bad(text: &str) -> PatchError {
    PatchError::Bad(text.to_owned())
}

fn internal(text: String) -> PatchError {
    PatchError::Internal(text)
}

fn no_merge_key(element: &Value, key: &str) -> PatchError {
    internal(format!("map: {} does not contain declared merge key: {key}", go::format(element)))
}

/// Where in the type the merge is.
#[derive(Clone, Copy)]
struct Place<'a> {
    schemas: &'a Schemas,
    at: At<'a>,
}

#[derive(Clone, Copy)]
enum At<'a> {
    Struct(&'a Struct),
    /// Not a struct; the name is Go's.
    Other(&'static str),
}

impl<'a> Place<'a> {
    fn of(schemas: &'a Schemas, node: &'a Node) -> Self {
        let at = match &node.kind {
            Kind::Struct(id) => At::Struct(schemas.get(*id)),
            Kind::Map(_) => At::Other("map"),
            Kind::List(_) | Kind::Bytes => At::Other("slice"),
            Kind::String => At::Other("string"),
            Kind::Bool => At::Other("bool"),
            Kind::Int32 => At::Other("int32"),
            Kind::Int64 => At::Other("int64"),
            _ => At::Other("struct"),
        };
        Self { schemas, at }
    }

    fn field(self, name: &str) -> Result<(&'a Node, &'a PatchRule), PatchError> {
        let one = match self.at {
            At::Struct(one) => one,
            At::Other(kind) => {
                let text = format!("merging an object in json but data type is not struct, instead is: {kind}");
                return Err(internal(text));
            }
        };
        let field = one.field(name).or_else(|| one.fields.iter().find(|f| f.name.eq_ignore_ascii_case(name)));
        let missing = || {
            let text = format!("unable to find api field in struct {} for the json field {name:?}", one.go_name());
            internal(text)
        };
        field.map(|f| (&f.node, &f.patch)).ok_or_else(missing)
    }

    /// The place of a list's elements and the rule of the list.
    fn list(self, name: &str) -> Result<(Self, &'a PatchRule), PatchError> {
        let (node, rule) = self.field(name)?;
        match &node.kind {
            Kind::List(element) => Ok((Self::of(self.schemas, element), rule)),
            _ => Err(internal(format!("expected slice or array type, but got: {}", self.kind_name()))),
        }
    }

    fn kind_name(self) -> &'static str {
        match self.at {
            At::Struct(_) => "struct",
            At::Other(kind) => kind,
        }
    }

    fn merge_map(self, mut original: Fields, mut patch: Fields) -> Result<Fields, PatchError> {
        if let Some(directive) = patch.remove(DIRECTIVE) {
            return match directive.as_str() {
                Some("replace") => Ok(patch),
                Some("delete") => Ok(Map::new()),
                _ => {
                    let shown = go::format(&directive);
                    patch.insert(DIRECTIVE.to_owned(), directive);
                    let map = go::format(&Value::Object(patch));
                    Err(internal(format!("unknown patch type: {shown} in map: {map}")))
                }
            };
        }
        retain_keys(&mut original, &mut patch)?;
        self.merge_ordered(&mut original, &mut patch)?;
        for (key, value) in patch {
            self.merge_field(&mut original, key, value)?;
        }
        Ok(original)
    }

    fn merge_field(self, original: &mut Fields, key: String, value: Value) -> Result<(), PatchError> {
        let (key, deletes) = match directed(&key, DELETE_FROM) {
            Some(Some(field)) => (field.to_owned(), true),
            Some(None) => return Err(bad("invalid patch format of primitive list")),
            None => (key, false),
        };
        if value.is_null() {
            original.remove(&key);
            return Ok(());
        }
        let Some(slot) = original.get_mut(&key) else {
            if !deletes {
                take_over(original, key, value);
            }
            return Ok(());
        };
        let merged = match (std::mem::take(slot), value) {
            (Value::Object(before), Value::Object(patch)) => {
                let (node, rule) = self.field(&key)?;
                let inner = Self::of(self.schemas, node);
                Value::Object(if rule.replace { patch } else { inner.merge_map(before, patch)? })
            }
            (Value::Array(before), Value::Array(patch)) => {
                let (inner, rule) = self.list(&key)?;
                let merges = rule.merge || deletes;
                Value::Array(if merges { inner.merge_list(before, patch, rule, deletes)? } else { patch })
            }
            (before, _) if deletes => before,
            (_, patch) => {
                take_over(original, key, patch);
                return Ok(());
            }
        };
        original.insert(key, merged);
        Ok(())
    }

    /// Lists whose order the patch gives: merges them now and takes them out of the patch.
    fn merge_ordered(self, original: &mut Fields, patch: &mut Fields) -> Result<(), PatchError> {
        let keys: Vec<String> = patch.keys().filter(|k| k.starts_with(ORDER)).cloned().collect();
        for key in keys {
            let order = as_list(patch.remove(&key).unwrap_or_default())?;
            let field = directed(&key, ORDER).flatten().ok_or_else(|| bad(BAD_ORDER))?;
            let before = original.get(field).cloned().map(as_list).transpose()?;
            let given = patch.get(field).cloned().map(as_list).transpose()?;
            let (inner, rule) = self.list(field)?;
            let key = rule.key.as_deref();
            check_order(given.as_deref().unwrap_or_default(), &order, key)?;
            let merged = match (&before, given) {
                (None, None) => continue,
                (Some(before), None) => before.clone(),
                (None, Some(given)) => given.into_iter().filter_map(without_directives).collect(),
                (Some(before), Some(given)) if rule.merge => inner.merge_list(before.clone(), given, rule, false)?,
                (Some(_), Some(given)) => given,
            };
            let (patched, server_only) = partition(merged, &order, key)?;
            let both = interleave(patched, server_only, &order, before.as_deref().unwrap_or_default(), key);
            original.insert(field.to_owned(), Value::Array(both));
            patch.remove(field);
        }
        Ok(())
    }

    fn merge_list(
        self,
        original: Vec<Value>,
        patch: Vec<Value>,
        rule: &PatchRule,
        deletes: bool,
    ) -> Result<Vec<Value>, PatchError> {
        let Some(structs) = elements_are_maps(&original, &patch)? else { return Ok(original) };
        if !structs {
            if deletes {
                let deleted: HashSet<&Value> = patch.iter().collect();
                return Ok(original.into_iter().filter(|v| !deleted.contains(v)).collect());
            }
            let before = original;
            let mut seen = HashSet::with_capacity(before.len() + patch.len());
            let merged = before.iter().chain(&patch).filter(|item| seen.insert(*item)).cloned().collect();
            let (patched, server_only) = partition(merged, &patch, None)?;
            return Ok(interleave(patched, server_only, &patch, &before, None));
        }
        let Some(key) = rule.key.as_deref() else {
            return Err(internal(format!("cannot merge lists without merge key for {}", self.kind_name())));
        };
        let (original, patch) = special_elements(original, patch, key)?;
        let before = original.clone();
        let merged = self.merge_elements(original, &patch, key)?;
        let (patched, server_only) = partition(merged, &patch, Some(key))?;
        Ok(interleave(patched, server_only, &patch, &before, Some(key)))
    }

    fn merge_elements(self, mut original: Vec<Value>, patch: &[Value], key: &str) -> Result<Vec<Value>, PatchError> {
        let marks = original.iter().enumerate().rev();
        let mut places: HashMap<Value, usize> = marks.filter_map(|(at, o)| Some((o.get(key)?.clone(), at))).collect();
        for item in patch {
            let Some(own) = item.get(key) else { return Err(no_merge_key(item, key)) };
            match places.get(own).and_then(|at| original.get_mut(*at)) {
                Some(Value::Object(before)) => {
                    let given = item.as_object().cloned().unwrap_or_default();
                    *before = self.merge_map(std::mem::take(before), given)?;
                }
                _ => {
                    places.insert(own.clone(), original.len());
                    original.push(item.clone());
                }
            }
        }
        Ok(original)
    }
}

const BAD_ORDER: &str = "invalid patch format of setElementOrder list";

/// The field behind `PREFIX/field`: `None` for other keys, `Some(None)` without a field.
fn directed<'k>(key: &'k str, prefix: &str) -> Option<Option<&'k str>> {
    key.strip_prefix(prefix).map(|rest| rest.strip_prefix('/'))
}

fn as_list(value: Value) -> Result<Vec<Value>, PatchError> {
    match value {
        Value::Array(items) => Ok(items),
        other => Err(internal(format!("expected a []interface {{}}, but received a {}", go::type_name(&other)))),
    }
}

/// Puts a value in as it is: without nulls and directives.
fn take_over(original: &mut Fields, key: String, mut value: Value) {
    discard_nulls(&mut value);
    match without_directives(value) {
        Some(value) => original.insert(key, value),
        None => original.remove(&key),
    };
}

fn discard_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, v| !v.is_null());
            fields.values_mut().for_each(discard_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(discard_nulls),
        _ => {}
    }
}

/// What is left of a value without the parts that are directives; `None` if it is one itself.
fn without_directives(value: Value) -> Option<Value> {
    match value {
        Value::Object(fields) if fields.contains_key(DIRECTIVE) => None,
        Value::Object(fields) => {
            let kept = fields.into_iter().filter_map(|(k, v)| Some((k, without_directives(v)?)));
            Some(Value::Object(kept.collect()))
        }
        Value::Array(items) => Some(Value::Array(items.into_iter().filter_map(without_directives).collect())),
        other => Some(other),
    }
}

fn retain_keys(original: &mut Fields, patch: &mut Fields) -> Result<(), PatchError> {
    let Some(list) = patch.remove(RETAIN) else { return Ok(()) };
    let wrong = || bad("invalid patch format of retainKeys");
    let Value::Array(list) = list else { return Err(wrong()) };
    let names: HashSet<&str> = list.iter().filter_map(Value::as_str).collect();
    let listed = |key: &str| names.contains(key);
    for (key, value) in patch.iter() {
        let directive = key.starts_with(DELETE_FROM) || key.starts_with(ORDER);
        if !value.is_null() && !directive && !listed(key) {
            return Err(wrong());
        }
    }
    original.retain(|key, _| listed(key));
    Ok(())
}

/// Whether the elements are maps; `None` when there are none at all.
fn elements_are_maps(original: &[Value], patch: &[Value]) -> Result<Option<bool>, PatchError> {
    let mut all = original.iter().chain(patch);
    let Some(first) = all.next() else { return Ok(None) };
    if first.is_array() {
        return Err(PatchError::Unprocessable("lists of lists are not supported".to_owned()));
    }
    if all.any(|v| go::type_name(v) != go::type_name(first)) {
        let list = |l: &[Value]| go::format(&Value::Array(l.to_vec()));
        let shown = format!("[{} {}]", list(original), list(patch));
        return Err(internal(format!("list element types are not identical: {shown}")));
    }
    Ok(Some(first.is_object()))
}

/// Elements with a directive: takes them out of the patch and does what they say.
fn special_elements(
    mut original: Vec<Value>,
    patch: Vec<Value>,
    key: &str,
) -> Result<(Vec<Value>, Vec<Value>), PatchError> {
    let mut plain = Vec::with_capacity(patch.len());
    let mut replace = false;
    let mut deleted: HashSet<Value> = HashSet::new();
    for item in patch {
        match item.get(DIRECTIVE).map(Value::as_str) {
            None => plain.push(item),
            Some(Some("delete")) => match item.get(key) {
                Some(own) => deleted.extend([own.clone()]),
                None => return Err(no_merge_key(&item, key)),
            },
            Some(Some("replace")) => replace = true,
            Some(Some("merge")) => {
                return Err(internal("merging lists cannot yet be specified in the patch".to_owned()));
            }
            Some(_) => {
                let directive = go::format(item.get(DIRECTIVE).unwrap_or(&Value::Null));
                return Err(internal(format!("unknown patch type: {directive} in map: {}", go::format(&item))));
            }
        }
    }
    if replace {
        return Ok((plain, Vec::new()));
    }
    original.retain(|o| o.get(key).is_none_or(|own| !deleted.contains(own)));
    Ok((original, plain))
}

/// Elements that `by` knows, and the others.
fn partition(items: Vec<Value>, by: &[Value], key: Option<&str>) -> Result<(Vec<Value>, Vec<Value>), PatchError> {
    if let Some(key) = key
        && let Some(item) = items.iter().find(|item| item.get(key).is_none())
    {
        return Err(no_merge_key(item, key));
    }
    let known = Places::of(by, key);
    Ok(items.into_iter().partition(|item| known.find(item, key).is_some()))
}

/// The patch's elements must follow the order that it gives, and be among it.
fn check_order(patch: &[Value], order: &[Value], key: Option<&str>) -> Result<(), PatchError> {
    if patch.is_empty() || order.is_empty() {
        return Ok(());
    }
    if let Some(key) = key {
        let kept = patch.iter().filter(|p| p.get(DIRECTIVE).is_none());
        if let Some(item) = kept.chain(order).find(|p| p.get(key).is_none()) {
            return Err(no_merge_key(item, key));
        }
    }
    let mut rest = order.iter();
    for item in patch.iter().filter(|p| p.get(DIRECTIVE).is_none()) {
        if !rest.any(|o| same(o, item, key)) {
            let (patch, order) = (Value::Array(patch.to_vec()), Value::Array(order.to_vec()));
            return Err(internal(format!(
                "The order in patch list:\n{}\n doesn't match {ORDER} list:\n{}\n",
                go::format(&patch),
                go::format(&order)
            )));
        }
    }
    Ok(())
}
