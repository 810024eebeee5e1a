//! Scenarios: ordered requests as data, one YAML file each.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

/// One file of the corpus: requests that are sent in order and may use what earlier ones answered.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// The file's stem; also the name of the scenario's own namespace.
    #[serde(skip)]
    pub name: String,
    /// What the scenario is for, in one line.
    pub about: String,
    /// Whether a namespace `o-NAME` with a `default` service account is made first (not compared).
    #[serde(default = "yes")]
    pub namespace: bool,
    /// Objects that requests start from, by name.
    #[serde(default)]
    pub bases: BTreeMap<String, Value>,
    /// The requests, in order.
    pub requests: Vec<Request>,
}

/// One request of a scenario.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Unique within the scenario.
    pub id: String,
    /// Method and path with query, separated by a blank. `$ns` is the scenario's namespace path
    /// (`/api/v1/namespaces/o-NAME`), `${x}` a captured value.
    pub send: String,
    /// Whose token is used: a name of `tokens.csv`, or `nobody` for none.
    #[serde(default = "admin")]
    pub user: String,
    /// Headers beside those that the other fields make, such as those of impersonation: one value or several.
    #[serde(default)]
    pub headers: BTreeMap<String, Values>,
    /// Content type: a short name (json, merge, strategic, apply, json-patch, yaml, protobuf) or a full media type.
    #[serde(default)]
    pub content: Option<String>,
    /// `Accept` header: a short name (json, table, partial, partial-list, yaml, protobuf) or a full value.
    #[serde(default)]
    pub accept: Option<String>,
    /// Name of the object in `bases` that `body` is merged onto (RFC 7386).
    #[serde(default)]
    pub base: Option<String>,
    /// The body, or what is merged onto the base.
    #[serde(default)]
    pub body: Option<Value>,
    /// A body sent as it stands; wins over `body`.
    #[serde(default)]
    pub text: Option<String>,
    /// Values to keep from the answer: name to JSON pointer.
    #[serde(default)]
    pub capture: BTreeMap<String, String>,
    /// Keep only members of lists whose field has one of these values; for discovery documents, where the
    /// real server offers more than the slice: JSON pointer of the list to {field, values}.
    #[serde(default)]
    pub keep: BTreeMap<String, Keep>,
    /// The answer is a stream of watch events.
    #[serde(default)]
    pub watch: bool,
    /// Send it again until it has this status, for at most some seconds: the real server's authorizer and admission
    /// read through caches that lag behind.
    #[serde(default)]
    pub until: Option<u16>,
}

/// One value of a header, or several.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Values {
    /// One.
    One(String),
    /// Several, in order.
    Several(Vec<String>),
}

impl Values {
    /// All of them.
    #[must_use]
    pub fn all(&self) -> &[String] {
        match self {
            Self::One(value) => std::slice::from_ref(value),
            Self::Several(values) => values,
        }
    }
}

/// Which members of a list are compared.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keep {
    /// Field of a member, as a JSON pointer.
    pub field: String,
    /// Its values that are kept.
    pub values: Vec<String>,
}

fn yes() -> bool {
    true
}

fn admin() -> String {
    "admin".to_owned()
}

/// Why a corpus could not be read.
#[derive(Debug, thiserror::Error)]
pub enum CorpusError {
    /// The folder or a file could not be read.
    #[error("cannot read {0}: {1}")]
    Read(String, std::io::Error),
    /// A file is not a scenario.
    #[error("{0}: {1}")]
    Parse(String, serde_yaml_ng::Error),
    /// Two requests of a scenario share an id, or a request names a base that is not there.
    #[error("{0}: {1}")]
    Inconsistent(String, String),
}

/// Reads every scenario of a folder, in the order of the file names.
///
/// # Errors
/// When a file cannot be read, does not parse, or contradicts itself.
pub fn read(folder: &Path) -> Result<Vec<Scenario>, CorpusError> {
    let shown = folder.display().to_string();
    let entries = fs::read_dir(folder).map_err(|e| CorpusError::Read(shown.clone(), e))?;
    let mut paths: Vec<_> = entries
        .filter_map(Result::ok)
        .map(|e| e.path())
        .filter(|p| p.extension().is_some_and(|e| e == "yaml"))
        .collect();
    paths.sort();
    paths.iter().map(|path| read_one(path)).collect()
}

fn read_one(path: &Path) -> Result<Scenario, CorpusError> {
    let shown = path.display().to_string();
    let text = fs::read_to_string(path).map_err(|e| CorpusError::Read(shown.clone(), e))?;
    let mut scenario: Scenario = serde_yaml_ng::from_str(&text).map_err(|e| CorpusError::Parse(shown.clone(), e))?;
    scenario.name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let mut seen = std::collections::BTreeSet::new();
    for request in &scenario.requests {
        if !seen.insert(request.id.as_str()) {
            return Err(CorpusError::Inconsistent(shown, format!("id {:?} occurs twice", request.id)));
        }
        if let Some(base) = request.base.as_ref().filter(|b| !scenario.bases.contains_key(*b)) {
            return Err(CorpusError::Inconsistent(shown, format!("{}: no base {base:?}", request.id)));
        }
    }
    Ok(scenario)
}

impl Scenario {
    /// Name of the namespace that belongs to this scenario.
    #[must_use]
    pub fn namespace_name(&self) -> String {
        format!("o-{}", self.name)
    }

    /// The body to send for a request, before captured values are put in.
    #[must_use]
    pub fn body(&self, request: &Request) -> Option<String> {
        if let Some(text) = &request.text {
            return Some(text.clone());
        }
        let base = request.base.as_ref().and_then(|name| self.bases.get(name)).cloned();
        match (base, &request.body) {
            (Some(mut base), Some(change)) => {
                merge(&mut base, change);
                Some(base.to_string())
            }
            (Some(base), None) => Some(base.to_string()),
            (None, Some(body)) => Some(body.to_string()),
            (None, None) => None,
        }
    }
}

/// Merges a change onto a value as RFC 7386 says.
fn merge(target: &mut Value, change: &Value) {
    let Value::Object(change) = change else {
        *target = change.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    let Value::Object(fields) = target else { return };
    for (name, value) in change {
        if value.is_null() {
            fields.remove(name);
        } else {
            merge(fields.entry(name.clone()).or_insert(Value::Null), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn merge_removes_with_null_and_replaces_lists() {
        let mut base = json!({"a": {"b": 1, "c": [1, 2]}, "d": 1});
        merge(&mut base, &json!({"a": {"c": [3]}, "d": null, "e": {"f": 1}}));
        assert_eq!(base, json!({"a": {"b": 1, "c": [3]}, "e": {"f": 1}}));
    }

    #[test]
    fn every_scenario_of_the_corpus_reads() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("requests");
        let scenarios = read(&folder).expect("the corpus reads");
        let requests: usize = scenarios.iter().map(|s| s.requests.len()).sum();
        assert!(requests >= 300, "the corpus has {requests} requests, at least 300 are promised");
    }
}
