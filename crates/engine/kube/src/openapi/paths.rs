//! The paths of one group version: what can be done where, with which parameters.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::operation::Operation;
use super::types::Components;
use crate::resource::{Resource, Sub, SubKind, Verb};
use crate::resources::Resources;
use eksile_apimachinery::schema::{Kind, Struct};

const OBJECT: &[&str] = &["application/json", "application/vnd.kubernetes.protobuf", "application/yaml"];
const STREAM: &[&str] = &[
    "application/json",
    "application/json;stream=watch",
    "application/vnd.kubernetes.protobuf",
    "application/vnd.kubernetes.protobuf;stream=watch",
    "application/yaml",
];
const PATCHES: &[&str] = &[
    "application/apply-patch+yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
];
const LIST: &[(&str, &str)] = &[
    ("allowWatchBookmarks", "boolean"),
    ("continue", "string"),
    ("fieldSelector", "string"),
    ("labelSelector", "string"),
    ("limit", "integer"),
    ("resourceVersion", "string"),
    ("resourceVersionMatch", "string"),
    ("sendInitialEvents", "boolean"),
    ("timeoutSeconds", "integer"),
    ("watch", "boolean"),
];
const WRITE: &[(&str, &str)] = &[("dryRun", "string"), ("fieldManager", "string"), ("fieldValidation", "string")];
const DELETE: &[(&str, &str)] = &[
    ("dryRun", "string"),
    ("gracePeriodSeconds", "integer"),
    ("ignoreStoreReadErrorWithClusterBreakingPotential", "boolean"),
    ("orphanDependents", "boolean"),
    ("propagationPolicy", "string"),
];
/// Parameters of a list that a delete of a collection has not.
const ONLY_LIST: &[&str] = &["allowWatchBookmarks", "watch"];

type Paths = BTreeMap<String, Value>;

/// All paths of a group version.
pub(super) fn paths(components: &mut Components<'_>, resources: &Resources, group: &str, version: &str) -> Paths {
    let mut writer = Writer::new(components, group, version);
    writer.discovery();
    for resource in resources.of(group, version) {
        writer.resource(&resource);
    }
    writer.paths
}

struct Writer<'c, 'a> {
    components: &'c mut Components<'a>,
    base: String,
    version: String,
    /// `rbacAuthorization`.
    group_name: String,
    paths: Paths,
}

impl<'c, 'a> Writer<'c, 'a> {
    fn new(components: &'c mut Components<'a>, group: &str, version: &str) -> Self {
        let base = if group.is_empty() { format!("/api/{version}/") } else { format!("/apis/{group}/{version}/") };
        // core, apps, rbacAuthorization: the group without its domain, in camel case.
        let labels = group.strip_suffix(".k8s.io").unwrap_or(group);
        let mut words = labels.split('.');
        let first = words.next().filter(|w| !w.is_empty()).unwrap_or("core");
        let group_name = words.fold(first.to_owned(), |name, word| name + &capital(word));
        Self { components, base, version: version.to_owned(), group_name, paths: Paths::new() }
    }

    fn operation(&self, method: &'static str, id: &str) -> Operation {
        Operation::new(method, &format!("{}_{}", self.group_name, self.version), id)
    }

    /// `CoreV1`.
    fn prefix(&self) -> String {
        capital(&self.group_name) + &capital(&self.version)
    }

    fn discovery(&mut self) {
        let list = self.components.refer_meta("APIResourceList");
        let operation = self.operation("get", &format!("get{}APIResources", self.prefix())).answers(
            &[("200", "OK")],
            OBJECT,
            &list,
        );
        self.add(self.base.clone(), vec![operation]);
    }

    /// Writes a path; parameters that all its operations share belong to the path.
    fn add(&mut self, path: String, operations: Vec<Operation>) {
        let Some(first) = operations.first() else { return };
        let mut shared = first.parameters.clone();
        shared.retain(|key, _| operations.iter().all(|o| o.parameters.contains_key(key)));
        let mut out = Map::new();
        for mut operation in operations {
            operation.parameters.retain(|key, _| !shared.contains_key(key));
            if !operation.parameters.is_empty() {
                let own = operation.parameters.into_values().collect();
                operation.body.insert("parameters".to_owned(), Value::Array(own));
            }
            out.insert(operation.method.to_owned(), Value::Object(operation.body));
        }
        if !shared.is_empty() {
            out.insert("parameters".to_owned(), Value::Array(shared.into_values().collect()));
        }
        self.paths.insert(path, Value::Object(out));
    }

    fn resource(&mut self, resource: &Resource) {
        let scope = if resource.namespaced { "Namespaced" } else { "" };
        let target = Target {
            name: format!("{scope}{}", resource.kind),
            path: if resource.namespaced {
                format!("{}namespaces/{{namespace}}/{}", self.base, resource.plural)
            } else {
                format!("{}{}", self.base, resource.plural)
            },
            places: if resource.namespaced { &["namespace"] } else { &[] },
            kind: [&resource.group, &resource.version, &resource.kind].map(|s| s.to_string()),
            schema: resource.schema.to_string(),
            verbs: resource.verbs.clone(),
        };
        self.collection(resource, &target);
        let one = Target {
            path: format!("{}/{{name}}", target.path),
            places: if resource.namespaced { &["name", "namespace"] } else { &["name"] },
            ..target.clone()
        };
        self.object(&one, "");
        if resource.verbs.contains(&Verb::Watch) {
            self.watches(resource, &target, &one);
        }
        for sub in &resource.subs {
            self.subresource(resource, &one, sub);
        }
    }

    fn collection(&mut self, resource: &Resource, at: &Target) {
        let mut operations = Vec::new();
        if at.verbs.contains(&Verb::List) {
            operations.push(self.list(at, &format!("list{}{}", self.prefix(), at.name)));
        }
        if at.verbs.contains(&Verb::Create) {
            operations.push(self.create(at, ""));
        }
        if at.verbs.contains(&Verb::DeleteCollection) {
            let scoped = at.name.strip_suffix(&*resource.kind).unwrap_or_default();
            let id = format!("delete{}Collection{scoped}{}", self.prefix(), resource.kind);
            let status = self.components.refer_meta("Status");
            let options = self.components.refer_meta("DeleteOptions");
            let list = LIST.iter().filter(|(name, _)| !ONLY_LIST.contains(name)).chain(DELETE);
            let operation = self
                .operation("delete", &id)
                .takes(&at.places_and_pretty())
                .queries(list)
                .content(&["*/*"], &options, false)
                .answers(&[("200", "OK")], OBJECT, &status)
                .marked("deletecollection", &at.kind);
            operations.push(operation);
        }
        self.add(at.path.clone(), operations);
        if resource.namespaced && at.verbs.contains(&Verb::List) {
            let everywhere = Target { places: &[], ..at.clone() };
            let id = format!("list{}{}ForAllNamespaces", self.prefix(), resource.kind);
            let operation = self.list(&everywhere, &id);
            self.add(format!("{}{}", self.base, resource.plural), vec![operation]);
        }
    }

    fn list(&mut self, at: &Target, id: &str) -> Operation {
        let list = self.components.refer(&format!("{}List", at.schema));
        self.operation("get", id)
            .takes(&at.places_and_pretty())
            .queries(LIST)
            .answers(&[("200", "OK")], STREAM, &list)
            .marked("list", &at.kind)
    }

    fn create(&mut self, at: &Target, suffix: &str) -> Operation {
        let object = self.components.refer(&at.schema);
        self.operation("post", &format!("create{}{}{suffix}", self.prefix(), at.name))
            .takes(&at.places_and_pretty())
            .queries(WRITE)
            .content(&["*/*"], &object, true)
            .answers(&[("200", "OK"), ("201", "Created"), ("202", "Accepted")], OBJECT, &object)
            .marked("post", &at.kind)
    }

    /// get, put, delete and patch, as far as the verbs allow.
    fn object(&mut self, at: &Target, suffix: &str) {
        let object = self.components.refer(&at.schema);
        let id = |verb: &str, prefix: String| format!("{verb}{prefix}{}{suffix}", at.name);
        let written = &[("200", "OK"), ("201", "Created")];
        let mut operations = Vec::new();
        if at.verbs.contains(&Verb::Get) {
            let get = self.operation("get", &id("read", self.prefix()));
            operations.push(
                get.takes(&at.places_and_pretty()).answers(&[("200", "OK")], OBJECT, &object).marked("get", &at.kind),
            );
        }
        if at.verbs.contains(&Verb::Update) {
            let put = self.operation("put", &id("replace", self.prefix()));
            let put = put.takes(&at.places_and_pretty()).queries(WRITE).content(&["*/*"], &object, true);
            operations.push(put.answers(written, OBJECT, &object).marked("put", &at.kind));
        }
        if at.verbs.contains(&Verb::Delete) {
            let options = self.components.refer_meta("DeleteOptions");
            let status = self.components.refer_meta("Status");
            let delete = self.operation("delete", &id("delete", self.prefix()));
            let delete = delete.takes(&at.places_and_pretty()).queries(DELETE).content(&["*/*"], &options, false);
            let answers = &[("200", "OK"), ("202", "Accepted")];
            operations.push(delete.answers(answers, OBJECT, &status).marked("delete", &at.kind));
        }
        if at.verbs.contains(&Verb::Patch) {
            let patch = self.components.refer_meta("Patch");
            let operation = self.operation("patch", &id("patch", self.prefix()));
            let operation = operation.takes(&at.places_and_pretty()).queries(WRITE).queries(&[("force", "boolean")]);
            let operation = operation.content(PATCHES, &patch, true).answers(written, OBJECT, &object);
            operations.push(operation.marked("patch", &at.kind));
        }
        self.add(at.path.clone(), operations);
    }

    fn watches(&mut self, resource: &Resource, many: &Target, one: &Target) {
        let event = self.components.refer_meta("WatchEvent");
        let watched = |path: &str, base: &str| path.replacen(base, &format!("{base}watch/"), 1);
        let mut all = vec![
            (watched(&many.path, &self.base), format!("{}List", many.name), "watchlist", many.places),
            (watched(&one.path, &self.base), one.name.clone(), "watch", one.places),
        ];
        if resource.namespaced {
            let everywhere = format!("{}watch/{}", self.base, resource.plural);
            all.push((everywhere, format!("{}ListForAllNamespaces", resource.kind), "watchlist", &[]));
        }
        for (path, name, action, places) in all {
            let target = Target { places, ..many.clone() };
            let operation = self
                .operation("get", &format!("watch{}{name}", self.prefix()))
                .takes(&target.places_and_pretty())
                .queries(LIST)
                .answers(&[("200", "OK")], STREAM, &event)
                .marked(action, &many.kind);
            self.add(path, vec![operation]);
        }
    }

    fn subresource(&mut self, resource: &Resource, one: &Target, sub: &Sub) {
        let suffix = capital(sub.name);
        let mut at = Target { path: format!("{}/{}", one.path, sub.name), verbs: sub.verbs.to_vec(), ..one.clone() };
        match sub.served {
            SubKind::Part => self.object(&at, &suffix),
            SubKind::Action => {
                let (group, version) = sub.group_version;
                if !version.is_empty() {
                    at.kind[0] = group.to_owned();
                    version.clone_into(&mut at.kind[1]);
                }
                sub.kind.clone_into(&mut at.kind[2]);
                let api_version = if at.kind[0].is_empty() { at.kind[1].clone() } else { at.kind[..2].join("/") };
                let schemas = self.components.schemas();
                let Some(id) = schemas.kind(&api_version, sub.kind) else { return };
                at.schema = schemas.get(id).name.to_string();
                let operation = self.create(&at, &suffix);
                self.add(at.path.clone(), vec![operation]);
            }
            SubKind::Connect => self.connect(resource, at, sub),
        }
    }

    /// Streams and proxies: their options are the parameters.
    fn connect(&mut self, resource: &Resource, mut at: Target, sub: &Sub) {
        let options = if sub.kind == &*resource.kind { format!("{}LogOptions", sub.kind) } else { sub.kind.to_owned() };
        let schemas = self.components.schemas();
        let options = schemas.kind(&resource.api_version, &options).map(|id| schemas.get(id));
        if sub.kind == &*resource.kind {
            let answer = json!({"type": "string"});
            let media = &["application/json", "application/vnd.kubernetes.protobuf", "application/yaml", "text/plain"];
            let id = format!("read{}{}{}", self.prefix(), at.name, capital(sub.name));
            let operation = self.operation("get", &id).takes(&at.places_and_pretty());
            let operation = self.options(operation, options);
            let operation = operation.answers(&[("200", "OK")], media, &answer).marked("get", &at.kind);
            self.add(at.path, vec![operation]);
            return;
        }
        sub.kind.clone_into(&mut at.kind[2]);
        self.connects(&at, sub, options, "");
        if sub.name == "proxy" {
            at.path.push_str("/{path}");
            at.places = if resource.namespaced { &["name", "namespace", "path"] } else { &["name", "path"] };
            self.connects(&at, sub, options, "WithPath");
        }
    }

    fn connects(&mut self, at: &Target, sub: &Sub, options: Option<&Struct>, suffix: &str) {
        let mut methods = vec!["get", "post"];
        if sub.name == "proxy" {
            methods.extend(["put", "delete", "options", "head", "patch"]);
        }
        let mut operations = Vec::new();
        for method in methods {
            let (verb, name) = (capital(method), capital(sub.name));
            let id = format!("connect{}{verb}{}{name}{suffix}", self.prefix(), at.name);
            let operation = self.operation(method, &id).takes(at.places);
            let operation = self.options(operation, options);
            let answer = json!({"type": "string"});
            operations.push(operation.answers(&[("200", "OK")], &["*/*"], &answer).marked("connect", &at.kind));
        }
        self.add(at.path.clone(), operations);
    }

    /// The fields of a kind of options, as queries.
    fn options(&self, operation: Operation, options: Option<&Struct>) -> Operation {
        let Some(options) = options else { return operation };
        let queries: Vec<(&str, &str)> = options
            .fields
            .iter()
            .filter(|f| !matches!(&*f.name, "kind" | "apiVersion") && !matches!(f.node.kind, Kind::Time))
            .map(|f| (&*f.name, query_type(&f.node.kind)))
            .collect();
        let descriptions = self.components.descriptions();
        operation.queries(&queries).explained(|name| descriptions.of_field(&options.name, name))
    }
}

/// What an operation is about.
#[derive(Clone)]
struct Target {
    /// `NamespacedPod`.
    name: String,
    path: String,
    places: &'static [&'static str],
    /// Group, version, kind.
    kind: [String; 3],
    schema: String,
    verbs: Vec<Verb>,
}

impl Target {
    fn places_and_pretty(&self) -> Vec<&'static str> {
        self.places.iter().copied().chain(["pretty"]).collect()
    }
}

fn query_type(kind: &Kind) -> &'static str {
    match kind {
        Kind::Bool => "boolean",
        Kind::Int32 | Kind::Int64 => "integer",
        Kind::List(element) => query_type(&element.kind),
        _ => "string",
    }
}

fn capital(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
