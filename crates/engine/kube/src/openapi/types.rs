//! The types that a document refers to, in OpenAPI's words.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::Descriptions;
use eksile_apimachinery::schema::{Field, Kind, ListType, Node, Schemas, Struct};

const META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.";

/// Collects what is referred to, and everything behind it.
pub(super) struct Components<'a> {
    schemas: &'a Schemas,
    descriptions: &'a Descriptions<'a>,
    done: BTreeMap<String, Value>,
    waiting: Vec<String>,
}

impl<'a> Components<'a> {
    pub(super) fn new(schemas: &'a Schemas, descriptions: &'a Descriptions<'a>) -> Self {
        Self { schemas, descriptions, done: BTreeMap::new(), waiting: Vec::new() }
    }

    pub(super) fn schemas(&self) -> &'a Schemas {
        self.schemas
    }

    pub(super) fn descriptions(&self) -> &'a Descriptions<'a> {
        self.descriptions
    }

    /// A reference to a type by its full name.
    pub(super) fn refer(&mut self, name: &str) -> Value {
        if !self.done.contains_key(name) {
            self.done.insert(name.to_owned(), Value::Null);
            self.waiting.push(name.to_owned());
        }
        json!({"$ref": format!("#/components/schemas/{name}")})
    }

    /// A reference to a type of the meta group, such as `Status`.
    pub(super) fn refer_meta(&mut self, name: &str) -> Value {
        self.refer(&format!("{META}{name}"))
    }

    pub(super) fn finish(mut self) -> BTreeMap<String, Value> {
        while let Some(name) = self.waiting.pop() {
            let mut made = match self.schemas.named(&name) {
                Some(id) => self.define(self.schemas.get(id)),
                None => self.define_leaf(&name),
            };
            self.describe(&name, &mut made);
            self.done.insert(name, made);
        }
        self.done
    }

    /// Says of a type and its fields what they are for.
    fn describe(&self, name: &str, made: &mut Value) {
        if let Some(sentence) = self.descriptions.of_type(name) {
            made["description"] = json!(sentence);
        }
        let Some(properties) = made.get_mut("properties").and_then(Value::as_object_mut) else { return };
        for (field, property) in properties {
            if let Some(sentence) = self.descriptions.of_field(name, field) {
                property["description"] = json!(sentence);
            }
        }
    }

    fn define(&mut self, one: &Struct) -> Value {
        let mut out = Map::new();
        out.insert("type".to_owned(), json!("object"));
        let required: Vec<&str> = one.fields.iter().filter(|f| f.required).map(|f| &*f.name).collect();
        if !required.is_empty() {
            out.insert("required".to_owned(), json!(required));
        }
        let properties: Map<String, Value> =
            one.fields.iter().map(|f| (String::from(&*f.name), self.property(f))).collect();
        if !properties.is_empty() {
            out.insert("properties".to_owned(), Value::Object(properties));
        }
        if one.atomic {
            out.insert("x-kubernetes-map-type".to_owned(), json!("atomic"));
        }
        let kinds = self.kinds(one);
        if !kinds.is_empty() {
            out.insert("x-kubernetes-group-version-kind".to_owned(), Value::Array(kinds));
        }
        Value::Object(out)
    }

    /// The kinds of a type. Options of deletes come with every group version.
    fn kinds(&self, one: &Struct) -> Vec<Value> {
        let mark = |version: &str, kind: &str| {
            let (group, version) = version.split_once('/').unwrap_or(("", version));
            json!({"group": group, "kind": kind, "version": version})
        };
        if one.name.strip_prefix(META) == Some("DeleteOptions") {
            let all = self.schemas.structs().flat_map(|s| &s.kinds).map(|(version, _)| &**version);
            let versions: BTreeSet<&str> = all.collect();
            return versions.into_iter().map(|version| mark(version, "DeleteOptions")).collect();
        }
        one.kinds.iter().map(|(version, kind)| mark(version, kind)).collect()
    }

    /// Types that the table has as leaves, and the few that are not in it.
    fn define_leaf(&mut self, name: &str) -> Value {
        match name.rsplit('.').next().unwrap_or(name) {
            "Time" | "MicroTime" => json!({"type": "string", "format": "date-time"}),
            "Quantity" => json!({"oneOf": [{"type": "string"}, {"type": "number"}]}),
            "IntOrString" => json!({"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]}),
            "WatchEvent" => json!({
                "type": "object", "required": ["type", "object"],
                "properties": {
                    "type": {"type": "string", "default": ""},
                    "object": {"allOf": [self.refer("io.k8s.apimachinery.pkg.runtime.RawExtension")]},
                },
                "x-kubernetes-group-version-kind": [{"group": "", "kind": "WatchEvent", "version": "v1"}],
            }),
            "JSON" | "JSONSchemaPropsOrArray" | "JSONSchemaPropsOrBool" | "JSONSchemaPropsOrStringArray" => json!({}),
            _ => json!({"type": "object"}),
        }
    }

    fn property(&mut self, field: &Field) -> Value {
        let written = !field.pointer && !field.omit_empty;
        let mut out = self.value(&field.node, field.pointer, written);
        if let Some(default) = &field.default {
            out.insert("default".to_owned(), default.clone());
        }
        if !field.values.is_empty() {
            out.insert("enum".to_owned(), json!(field.values));
        }
        self.merging(field, &mut out);
        Value::Object(out)
    }

    /// How lists and maps merge.
    fn merging(&self, field: &Field, out: &mut Map<String, Value>) {
        let mut put = |name: &str, value: Value| {
            out.insert(format!("x-kubernetes-{name}"), value);
        };
        if let Some(list) = &field.list_given {
            put(
                "list-type",
                json!(match list {
                    ListType::Atomic => "atomic",
                    ListType::Set => "set",
                    ListType::Map(_) => "map",
                }),
            );
            if let ListType::Map(keys) = list {
                put("list-map-keys", json!(keys));
            }
        }
        if field.atomic {
            put("map-type", json!("atomic"));
        } else if field.granular {
            put("map-type", json!("granular"));
        }
        let rule = &field.patch;
        let strategies: Vec<&str> =
            [(rule.merge, "merge"), (rule.replace, "replace"), (rule.retain_keys, "retainKeys")]
                .iter()
                .filter_map(|(on, name)| on.then_some(*name))
                .collect();
        if !strategies.is_empty() {
            put("patch-strategy", json!(strategies.join(",")));
        }
        if let Some(key) = &rule.key {
            put("patch-merge-key", json!(key));
        }
    }

    /// A type where it is used; `written` scalars show their zero value as default.
    fn value(&mut self, node: &Node, pointer: bool, written: bool) -> Map<String, Value> {
        let mut out = Map::new();
        let scalar = |out: &mut Map<String, Value>, type_: &str, format: &str, zero: Value| {
            out.insert("type".to_owned(), json!(type_));
            if !format.is_empty() {
                out.insert("format".to_owned(), json!(format));
            }
            if written {
                out.insert("default".to_owned(), zero);
            }
        };
        match &node.kind {
            Kind::String => scalar(&mut out, "string", "", json!("")),
            Kind::Bool => scalar(&mut out, "boolean", "", json!(false)),
            Kind::Int32 => scalar(&mut out, "integer", "int32", json!(0)),
            Kind::Int64 => scalar(&mut out, "integer", "int64", json!(0)),
            Kind::Float64 => scalar(&mut out, "number", "double", json!(0)),
            Kind::Bytes => {
                out.insert("type".to_owned(), json!("string"));
                out.insert("format".to_owned(), json!("byte"));
            }
            Kind::List(element) => {
                out.insert("type".to_owned(), json!("array"));
                let items = self.value(element, false, true);
                out.insert("items".to_owned(), Value::Object(items));
            }
            Kind::Map(element) => {
                out.insert("type".to_owned(), json!("object"));
                let values = self.value(element, false, true);
                out.insert("additionalProperties".to_owned(), lone(values));
            }
            Kind::Struct(id) => {
                let name = self.schemas.get(*id).name.clone();
                let reference = self.refer(&name);
                if !pointer {
                    out.insert("default".to_owned(), json!({}));
                }
                out.insert("allOf".to_owned(), json!([reference]));
            }
            Kind::Time | Kind::MicroTime | Kind::Quantity | Kind::IntOrString | Kind::Raw => {
                let reference = self.refer(leaf_name(node));
                out.insert("allOf".to_owned(), json!([reference]));
            }
        }
        out
    }
}

/// A reference with nothing beside it needs no wrapping.
fn lone(mut value: Map<String, Value>) -> Value {
    let alone = value.len() == 1;
    match value.get_mut("allOf").and_then(Value::as_array_mut).and_then(Vec::pop) {
        Some(reference) if alone => reference,
        Some(reference) => {
            value.insert("allOf".to_owned(), json!([reference]));
            Value::Object(value)
        }
        None => Value::Object(value),
    }
}

fn leaf_name(node: &Node) -> &'static str {
    match (&node.kind, &*node.go) {
        (Kind::Time, _) => "io.k8s.apimachinery.pkg.apis.meta.v1.Time",
        (Kind::MicroTime, _) => "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime",
        (Kind::Quantity, _) => "io.k8s.apimachinery.pkg.api.resource.Quantity",
        (Kind::IntOrString, _) => "io.k8s.apimachinery.pkg.util.intstr.IntOrString",
        (_, "v1.FieldsV1") => "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1",
        (_, "v1.JSON") => "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON",
        (_, "v1.JSONSchemaPropsOrArray") => {
            "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrArray"
        }
        (_, "v1.JSONSchemaPropsOrBool") => {
            "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrBool"
        }
        (_, "v1.JSONSchemaPropsOrStringArray") => {
            "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrStringArray"
        }
        _ => "io.k8s.apimachinery.pkg.runtime.RawExtension",
    }
}
