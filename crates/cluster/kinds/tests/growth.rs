//! The work for an object grows with its length, not with the square of it: every list and map of every stored kind,
//! found in the schema table, is filled with few and with ten times as many elements, and taken through decoding,
//! defaults, validation, warnings, managed fields, apply, strategic merge and encoding. What is compared is processor time.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use eksile_apimachinery::managed::{self, Manager};
use eksile_apimachinery::patch;
use eksile_apimachinery::schema::{Kind, Node, Schema, Struct};
use eksile_kinds::{schemas, table};
use eksile_kube::object::Encoded;
use eksile_kube::strategy::{Cluster, Context, Held, PolicyRule, User};
use eksile_kube::{FieldErrors, Resource, Resources};
use serde_json::{Map, Value, json};

/// Elements of the short list. `EKSILE_LONG=1` takes the size of the report that began this test (2,000 and 20,000).
const FEW: usize = 300;
const TIMES: usize = 10;
/// A long list may take this much more than as many elements in short ones: a square takes [`TIMES`] as much.
const MOST: f64 = 5.0;
/// So often must it.
const LOOKS: usize = 5;
/// Nanoseconds below which nothing is compared.
const NOISE: u64 = 20_000_000;
/// Structs within structs that are looked into.
const DEPTH: usize = 5;

struct Nothing;

impl Cluster for Nothing {
    fn allowed(&self, _: &User, _: &str, _: &str, _: &str, _: &str, _: &str) -> bool {
        false
    }
    fn rules(&self, _: &User, _: &str) -> Held {
        Held::default()
    }
    fn role_rules(&self, _: &str, _: &str, _: &str) -> Option<Vec<PolicyRule>> {
        None
    }
    fn stored(&self, _: &str, _: &str) -> Option<Value> {
        None
    }
    fn service_cidrs(&self) -> &[String] {
        &[]
    }
}

/// Processor time of this thread, in nanoseconds.
fn spent() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}

/// The paths of all lists and maps below a type. `*` stands for the one element of a list on the way.
fn collections(schema: &Schema, one: &Struct, path: &mut Vec<String>, out: &mut Vec<Vec<String>>) {
    if path.iter().filter(|step| *step != "*").count() >= DEPTH {
        return;
    }
    for field in one.fields.iter().filter(|field| &*field.name != "managedFields") {
        path.push(field.name.to_string());
        let inner = match &field.node.kind {
            Kind::List(element) | Kind::Map(element) => {
                out.push(path.clone());
                path.push("*".to_owned());
                &element.kind
            }
            other => other,
        };
        if let Kind::Struct(id) = inner {
            collections(schema, schema.types().get(*id), path, out);
        }
        if path.last().is_some_and(|step| step == "*") {
            path.pop();
        }
        path.pop();
    }
}

/// A value of a type, the `index`th of its list.
fn value(schema: &Schema, node: &Node, index: usize, depth: usize) -> Value {
    match &node.kind {
        Kind::String => json!(format!("n{index}")),
        Kind::Bool => json!(index.is_multiple_of(2)),
        Kind::Int32 | Kind::Int64 | Kind::IntOrString => json!(1 + index % 60_000),
        Kind::Float64 => json!(1.5),
        Kind::Bytes => json!("bjE="),
        Kind::Time => json!("2024-05-06T07:08:09Z"),
        Kind::MicroTime => json!("2024-05-06T07:08:09.000001Z"),
        Kind::Quantity => json!(format!("{index}m")),
        Kind::Raw => json!({}),
        Kind::List(_) | Kind::Map(_) => Value::Null,
        Kind::Struct(id) if depth > 0 => {
            let fields = schema.types().get(*id).fields.iter();
            let fields = fields.map(|f| (f.name.to_string(), value(schema, &f.node, index, depth - 1)));
            Value::Object(fields.filter(|(_, v)| !v.is_null()).collect())
        }
        Kind::Struct(_) => Value::Null,
    }
}

/// The collection at `path` below `node`, with `count` elements.
fn filled(schema: &Schema, node: &Node, path: &[String], count: usize, alike: bool) -> Value {
    let index = |n: usize| if alike { 7 } else { n };
    match (&node.kind, path) {
        (Kind::List(element), []) => (0..count).map(|n| value(schema, element, index(n), 1)).collect(),
        (Kind::Map(element), []) => {
            let entries = (0..count).map(|n| (format!("key-{n}"), value(schema, element, index(n), 1)));
            Value::Object(entries.collect())
        }
        (Kind::List(element), [_, rest @ ..]) => json!([filled(schema, element, rest, count, alike)]),
        (Kind::Map(element), [_, rest @ ..]) => json!({ "key": filled(schema, element, rest, count, alike) }),
        (Kind::Struct(id), [name, rest @ ..]) => {
            let field = schema.types().get(*id).field(name).unwrap();
            json!({ "name": "n", name: filled(schema, &field.node, rest, count, alike) })
        }
        _ => Value::Null,
    }
}

/// Takes an object through what a create, an update, an apply and a patch do with it.
fn work(resource: &Resource, schema: &Schema, body: &[u8]) {
    let strategy = resource.strategy;
    let user = User::default();
    let now = "2024-05-06T07:08:09Z".parse().unwrap();
    let context = Context { user: &user, now, namespace: "default", name: "", sub: "", cluster: &Nothing };
    let Ok(decoded) = schema.decode(body) else { return };
    let mut object = decoded.value;
    schema.default(&mut object);
    strategy.defaults(&mut object);
    let manager = Manager { name: "m", subresource: "", api_version: &resource.api_version, time: now, reset: &[] };
    managed::update(schema, None, &mut object, &manager);
    let old = object.clone();
    strategy.prepare_create(&mut object, &context);
    let mut errors = FieldErrors::new();
    strategy.validate(&object, &context, &mut errors);
    strategy.validate_create(&object, &context, &mut errors);
    let _ = (errors.message(), errors.causes());
    strategy.warnings(&object, None);
    let mut errors = FieldErrors::new();
    strategy.prepare_update(&mut object, &old, &context);
    strategy.validate_update(&object, &old, &context, &mut errors);
    managed::update(schema, Some(&old), &mut object, &manager);
    let mut config: Value = serde_json::from_slice(body).unwrap();
    config["apiVersion"] = json!(*resource.api_version);
    config["kind"] = json!(*resource.kind);
    let other = Manager { name: "other", ..manager };
    // Many of these objects fit no rule: how long a refusal takes is measured as well.
    let _ = managed::apply(schema, Some(&old), &config, &resource.kind, &other, true);
    let _ = patch::strategic(schema, &old, body);
    let _ = patch::merge(schema, &old, body);
    let _ = Encoded::new(resource, &object).at(1);
    strategy.cells(&object, now);
}

fn time(resource: &Resource, schema: &Schema, path: &[String], count: usize, alike: bool) -> u64 {
    let field = schema.root().field(&path[0]).unwrap();
    let mut body = Map::new();
    body.insert("metadata".to_owned(), json!({ "name": "n", "namespace": "default" }));
    let filled = filled(schema, &field.node, &path[1..], count, alike);
    match (body.get_mut(&path[0]), filled) {
        (Some(Value::Object(metadata)), Value::Object(more)) => metadata.extend(more),
        (_, filled) => {
            body.insert(path[0].clone(), filled);
        }
    }
    let body = serde_json::to_vec(&Value::Object(body)).unwrap();
    let before = spent();
    work(resource, schema, &body);
    spent() - before
}

/// Which paths of a kind take a square.
fn slow(resource: &Resource) -> Vec<String> {
    let builtin = schemas::builtin();
    let id = builtin.kind(&resource.api_version, &resource.kind).unwrap();
    let schema = builtin.schema(&builtin.get(id).name).unwrap();
    let mut paths = Vec::new();
    collections(&schema, schema.root(), &mut Vec::new(), &mut paths);
    assert!(!paths.is_empty() || *resource.kind == *"Binding", "{} has no lists", resource.kind);
    let few = if std::env::var_os("EKSILE_LONG").is_some() { 2000 } else { FEW };
    let mut out = Vec::new();
    for path in &paths {
        for alike in [false, true] {
            let ratio = || {
                let long = time(resource, &schema, path, few * TIMES, alike);
                if long < NOISE {
                    return 0.0;
                }
                // As much in short lists: processor time is told in steps of milliseconds.
                let short: u64 = (0..TIMES).map(|_| time(resource, &schema, path, few, alike)).sum();
                long as f64 / short.max(NOISE / 10) as f64
            };
            // Memory that is first touched, or a moment that the machine below took, costs the long list more: a square
            // is one at every look.
            let looks = std::iter::repeat_with(ratio).take(LOOKS);
            let least = looks.take_while(|ratio| *ratio > MOST).collect::<Vec<_>>();
            if least.len() == LOOKS {
                let least = least.into_iter().fold(f64::INFINITY, f64::min);
                out.push(format!(
                    "{} {}: a list {TIMES} times as long takes {least:.0} times what {TIMES} short ones take",
                    resource.kind,
                    path.join(".")
                ));
            }
        }
    }
    out
}

/// Those of the kinds whose number divided by `of` leaves `part`, so that the halves run beside each other.
fn found(part: usize, of: usize) -> Vec<String> {
    let resources = Resources::from_rows(table::ROWS);
    let stored: Vec<_> = resources.iter().filter(|r| r.stored).collect();
    stored.into_iter().enumerate().filter(|(n, _)| n % of == part).flat_map(|(_, r)| slow(r)).collect()
}

#[test]
fn no_list_of_any_kind_takes_a_square() {
    let found: Vec<String> = std::thread::scope(|scope| {
        let parts: Vec<_> = (0..2).map(|part| scope.spawn(move || found(part, 2))).collect();
        parts.into_iter().flat_map(|part| part.join().unwrap()).collect()
    });
    assert!(found.is_empty(), "{}", found.join("\n"));
}
