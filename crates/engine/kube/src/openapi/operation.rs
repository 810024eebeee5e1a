//! One operation of a path, put together step by step.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// One operation while it is made.
pub(super) struct Operation {
    pub(super) method: &'static str,
    pub(super) body: Map<String, Value>,
    pub(super) parameters: BTreeMap<String, Value>,
}

impl Operation {
    pub(super) fn new(method: &'static str, tag: &str, id: &str) -> Self {
        let mut body = Map::new();
        body.insert("tags".to_owned(), json!([tag]));
        body.insert("operationId".to_owned(), json!(id));
        Self { method, body, parameters: BTreeMap::new() }
    }

    /// Parameters in the path, and `pretty`.
    pub(super) fn takes(mut self, names: &[&str]) -> Self {
        for name in names {
            let (place, required) = if *name == "pretty" { ("query", false) } else { ("path", true) };
            self.parameter(name, place, "string", required);
        }
        self
    }

    pub(super) fn queries<'q>(mut self, all: impl IntoIterator<Item = &'q (&'q str, &'q str)>) -> Self {
        for (name, type_) in all {
            self.parameter(name, "query", type_, false);
        }
        self
    }

    /// Says what queries are for, as far as it is known.
    pub(super) fn explained<'d>(mut self, of: impl Fn(&str) -> Option<&'d str>) -> Self {
        for parameter in self.parameters.values_mut().filter(|p| p["in"] == "query") {
            if let Some(sentence) = parameter["name"].as_str().and_then(&of) {
                parameter["description"] = json!(sentence);
            }
        }
        self
    }

    fn parameter(&mut self, name: &str, place: &str, type_: &str, required: bool) {
        let mut out = json!({"name": name, "in": place, "schema": {"type": type_, "uniqueItems": true}});
        if required {
            out["required"] = json!(true);
        }
        self.parameters.insert(format!("{name} {place}"), out);
    }

    pub(super) fn content(mut self, media: &[&str], schema: &Value, required: bool) -> Self {
        let mut body = json!({"content": content(media, schema)});
        if required {
            body["required"] = json!(true);
        }
        self.body.insert("requestBody".to_owned(), body);
        self
    }

    pub(super) fn answers(mut self, codes: &[(&str, &str)], media: &[&str], schema: &Value) -> Self {
        let mut out = Map::new();
        for (code, text) in codes {
            out.insert((*code).to_owned(), json!({"description": text, "content": content(media, schema)}));
        }
        out.insert("401".to_owned(), json!({"description": "Unauthorized"}));
        self.body.insert("responses".to_owned(), Value::Object(out));
        self
    }

    pub(super) fn marked(mut self, action: &str, kind: &[String; 3]) -> Self {
        let [group, version, kind] = kind;
        self.body.insert("x-kubernetes-action".to_owned(), json!(action));
        let mark = json!({"group": group, "version": version, "kind": kind});
        self.body.insert("x-kubernetes-group-version-kind".to_owned(), mark);
        self
    }
}

fn content(media: &[&str], schema: &Value) -> Value {
    media.iter().map(|m| ((*m).to_owned(), json!({"schema": schema}))).collect::<Map<_, _>>().into()
}
