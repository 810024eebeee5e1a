//! Puts symbols where two servers must differ: identities, revisions, times, allocated and generated values.
//!
//! A symbol is given at first sight and kept for the scenario, so that equality is still compared: an update that should
//! change the resourceVersion and does not shows as `<rv 1>` where `<rv 2>` is recorded.

use std::collections::HashMap;

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::mask::shape::{is_address_of_services, is_generated, is_uuid};

mod shape;
mod token;

/// Times this near to the present were made by the server (seconds).
const NEAR: i64 = 3 * 3600;
/// Characters of `generateName` that are used.
const LONGEST_PREFIX: usize = 58;

/// The symbols of one scenario.
#[derive(Debug, Default)]
pub struct Mask {
    symbols: HashMap<String, String>,
    counters: HashMap<&'static str, usize>,
    generated: Vec<(String, String)>,
    said: String,
}

impl Mask {
    /// Notes what a request said: values that the client chose are compared as they are.
    pub fn heard(&mut self, request: &str) {
        self.said.push_str(request);
        self.said.push('\n');
    }

    /// Notes a generated name, so that it is recognised wherever it occurs.
    pub fn named(&mut self, prefix: &str, name: &str) {
        // Upstream cuts a long prefix, so that the name has 63 characters at most.
        let prefix = prefix.get(..LONGEST_PREFIX).unwrap_or(prefix);
        let Some(suffix) = name.strip_prefix(prefix) else { return };
        if is_generated(suffix) && !self.generated.iter().any(|(known, _)| known == name) {
            let symbol = format!("{prefix}<generated {}>", self.generated.len() + 1);
            self.generated.push((name.to_owned(), symbol));
        }
    }

    /// Masks an answer's body.
    pub fn body(&mut self, value: Value) -> Value {
        self.value("", value)
    }

    /// Masks a text that stands alone (a header, a plain body).
    pub fn text(&mut self, text: &str) -> String {
        self.string("", text.to_owned())
    }

    fn value(&mut self, key: &str, value: Value) -> Value {
        match value {
            Value::Object(fields) => Value::Object(self.object(fields)),
            Value::Array(mut items) if key == "managedFields" => {
                // Upstream sorts them by whole seconds, so their order depends on the clock.
                items.sort_by_cached_key(|item| {
                    let mut item = item.clone();
                    item.as_object_mut().map(|fields| fields.remove("time"));
                    item.to_string()
                });
                Value::Array(items.into_iter().map(|item| self.value("", item)).collect())
            }
            // Upstream lists rules in the order of a map.
            Value::Array(mut items) if matches!(key, "resourceRules" | "nonResourceRules") => {
                items.sort_by_cached_key(ToString::to_string);
                Value::Array(items)
            }
            Value::Array(items) => Value::Array(items.into_iter().map(|item| self.value(key, item)).collect()),
            Value::String(text) => match token::claims(&text) {
                Some(claims) => self.value("jwt", claims),
                None => Value::String(self.string(key, shape::missing_sorted(&text))),
            },
            Value::Number(number) => self.number(key, number),
            other => other,
        }
    }

    fn object(&mut self, fields: Map<String, Value>) -> Map<String, Value> {
        let is_list = fields.contains_key("items") || fields.contains_key("rows");
        // Identity and version come before anything else, so that their symbols count in the order of answers.
        fields
            .into_iter()
            .map(|(key, value)| {
                let masked = match (&key[..], value) {
                    // Prose: ours is our own.
                    ("columnDefinitions", Value::Array(columns)) => Value::Array(
                        columns
                            .into_iter()
                            .map(|mut column| {
                                column.as_object_mut().map(|fields| fields.remove("description"));
                                column
                            })
                            .collect(),
                    ),
                    ("metadata", Value::Object(mut meta)) if is_list => {
                        if meta.get("resourceVersion").is_some_and(Value::is_string) {
                            meta.insert("resourceVersion".into(), "<rv>".into());
                        }
                        Value::Object(self.object(meta))
                    }
                    ("cells", Value::Array(cells)) => {
                        Value::Array(cells.into_iter().map(|cell| self.cell(cell)).collect())
                    }
                    (_, value) => self.value(&key, value),
                };
                // Members of lists of owners are named by uid in managed fields.
                let key = if key.starts_with("k:{\"uid\":") { self.string("", key) } else { key };
                (key, masked)
            })
            .collect()
    }

    /// A cell of a table: ages depend on when it was asked.
    fn cell(&mut self, cell: Value) -> Value {
        match &cell {
            Value::String(text) if shape::is_age(text) => Value::from("<age>"),
            Value::String(text) if text.ends_with("/TCP") || text.ends_with("/UDP") => Value::String(self.ports(text)),
            _ => self.value("", cell),
        }
    }

    /// A cell such as `80:30510/TCP`.
    fn ports(&mut self, text: &str) -> String {
        let masked: Vec<String> = text
            .split(',')
            .map(|port| match port.split_once(':') {
                Some((own, rest)) => match rest.split_once('/') {
                    Some((node, protocol)) if !self.said.contains(node) => format!("{own}:<port>/{protocol}"),
                    _ => port.to_owned(),
                },
                None => port.to_owned(),
            })
            .collect();
        masked.join(",")
    }

    fn number(&mut self, key: &str, number: serde_json::Number) -> Value {
        let allocated = matches!(key, "nodePort" | "healthCheckNodePort")
            && number.as_u64().is_some_and(|n| (30_000..=32_767).contains(&n))
            && !self.said.contains(&number.to_string());
        if allocated {
            return Value::String(self.symbol("port", number.to_string()));
        }
        let near = number.as_i64().filter(|n| (n - Timestamp::now().as_second()).abs() < 400 * 86_400);
        match (key, near) {
            ("iat" | "nbf" | "exp" | "warnafter", Some(at)) => {
                Value::String(format!("<now+{}>", round(at - Timestamp::now().as_second())))
            }
            _ => Value::Number(number),
        }
    }

    fn string(&mut self, key: &str, text: String) -> String {
        match key {
            "resourceVersion" if shape::is_digits(&text) && text != "0" => self.symbol("rv", text),
            "continue" if !text.is_empty() => "<continue>".to_owned(),
            "serverAddress" => "<server>".to_owned(),
            "kid" => "<kid>".to_owned(),
            // A day ahead at most; the claims of the token tell its life.
            "expirationTimestamp" if text.ends_with('Z') => "<time>".to_owned(),
            // How a server was built is its own.
            "buildDate" | "compiler" | "gitCommit" | "goVersion" => "<build>".to_owned(),
            _ if near_now(&text) => {
                if text.contains('.') {
                    "<microtime>".to_owned()
                } else {
                    "<time>".to_owned()
                }
            }
            _ => self.words(text),
        }
    }

    /// Replaces what must differ inside a text.
    fn words(&mut self, mut text: String) -> String {
        for (name, symbol) in &self.generated {
            text = text.replace(name.as_str(), symbol);
        }
        text = shape::without_go(text);
        text = shape::times(&text, near_now);
        text = shape::after(&text, "kube-api-access-", 5, "<suffix>");
        if text.contains("esource version:") || text.contains("ResourceVersion in") {
            text = shape::digits(&text, "<rv>");
        }
        let mut out = String::with_capacity(text.len());
        for piece in shape::pieces(&text) {
            if is_uuid(piece) && !self.said.contains(piece) {
                out.push_str(&self.symbol("uid", piece.to_owned()));
            } else if is_address_of_services(piece) && !self.said.contains(piece) {
                out.push_str(&self.symbol("ip", piece.to_owned()));
            } else {
                out.push_str(piece);
            }
        }
        out
    }

    fn symbol(&mut self, class: &'static str, actual: String) -> String {
        if let Some(symbol) = self.symbols.get(&actual) {
            return symbol.clone();
        }
        let count = self.counters.entry(class).or_default();
        *count += 1;
        let symbol = format!("<{class} {count}>");
        self.symbols.insert(actual, symbol.clone());
        symbol
    }
}

/// Seconds from now, as coarse as slow machines need.
fn round(seconds: i64) -> i64 {
    (seconds as f64 / 60.0).round() as i64 * 60
}

fn near_now(text: &str) -> bool {
    let could_be = text.len() >= 20 && text.as_bytes()[4] == b'-' && text.ends_with('Z');
    could_be && text.parse::<Timestamp>().is_ok_and(|at| (at.as_second() - Timestamp::now().as_second()).abs() < NEAR)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn equality_survives_the_masking() {
        let mut mask = Mask::default();
        let first =
            mask.body(json!({"metadata": {"resourceVersion": "41", "uid": "5e0bd8ae-3d5c-4d39-a3f8-6d6eb6cf6ad1"}}));
        let second =
            mask.body(json!({"metadata": {"resourceVersion": "57", "uid": "5e0bd8ae-3d5c-4d39-a3f8-6d6eb6cf6ad1"}}));
        assert_eq!(first, json!({"metadata": {"resourceVersion": "<rv 1>", "uid": "<uid 1>"}}));
        assert_eq!(second, json!({"metadata": {"resourceVersion": "<rv 2>", "uid": "<uid 1>"}}));
    }

    #[test]
    fn what_the_client_chose_stays() {
        let mut mask = Mask::default();
        mask.heard(r#"{"clusterIP":"10.100.3.4","nodePort":30080}"#);
        let asked = json!({"clusterIP": "10.100.3.4", "nodePort": 30080});
        assert_eq!(mask.body(asked.clone()), asked);
        let given = mask.body(json!({"clusterIP": "10.100.9.9", "nodePort": 31999}));
        assert_eq!(given, json!({"clusterIP": "<ip 1>", "nodePort": "<port 1>"}));
    }

    #[test]
    fn times_of_the_server_go_and_foreign_ones_stay() {
        let mut mask = Mask::default();
        let now = Timestamp::now().to_string();
        assert_eq!(mask.body(json!({"a": now})), json!({"a": "<microtime>"}));
        assert_eq!(mask.body(json!({"a": "2020-01-01T00:00:00Z"})), json!({"a": "2020-01-01T00:00:00Z"}));
    }

    #[test]
    fn generated_names_are_recognised_by_their_alphabet() {
        let mut mask = Mask::default();
        mask.named("web-", "web-bcd24");
        mask.named("web-", "web-aeiou");
        assert_eq!(mask.text("pods \"web-bcd24\""), "pods \"web-<generated 1>\"");
        assert_eq!(mask.text("pods \"web-aeiou\""), "pods \"web-aeiou\"");
    }
}
