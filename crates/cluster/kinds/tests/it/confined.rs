//! What is authorized is what is run: every form of a path, with every method and selector, touches nothing but what the
//! authorizer was asked about.

use std::collections::BTreeSet;

use eksile_kube::locate::Located;
use eksile_kube::{Caller, Resources};
use http::Method;
use serde_json::{Value, json};

use crate::world::{Done, World};

const KINDS: [(&str, &str, &str); 6] = [
    ("/api/v1", "v1", "configmaps"),
    ("/api/v1", "v1", "secrets"),
    ("/api/v1", "v1", "pods"),
    ("/api/v1", "v1", "nodes"),
    ("/api/v1", "v1", "namespaces"),
    ("/apis/rbac.authorization.k8s.io/v1", "rbac.authorization.k8s.io/v1", "roles"),
];
const BEFORE: [&str; 4] = ["/", "/watch/", "/proxy/", "//"];
const SCOPES: [&str; 5] = ["", "namespaces/a/", "namespaces//", "namespaces/a%2F", "%6eamespaces/a/"];
const TAILS: [&str; 17] = [
    "",
    "/",
    "/one",
    "/one/",
    "//one",
    "/o%6Ee",
    "%2Fone",
    "/one%2Fstatus",
    "/one/status",
    "/one/status/x",
    "//status",
    "/one/finalize",
    "/one/log",
    "/one/proxy/x",
    "/..",
    "/one/../two",
    "/one%00",
];
const QUERIES: [&str; 12] = [
    "",
    "?watch=1",
    "?watch=0&watch=1",
    "?fieldSelector=metadata.name%3Done",
    "?fieldSelector=metadata.name%3Dtwo&name=one&namespace=b",
    "?fieldSelector=metadata.name%3Done%2Cmetadata.name%3Dtwo",
    "?fieldSelector=metadata.name%3Done&fieldSelector=metadata.name%3Dtwo",
    "?watch=true&fieldSelector=metadata.name%3Done",
    "?fieldSelector=metadata.name%3Done&limit=x",
    "?fieldSelector=metadata.name%3Done&limit=1",
    "?fieldSelector=metadata.namespace%3Db",
    "?labelSelector=%21no",
];

fn body(method: &Method, version: &str, plural: &str) -> Value {
    let kind = match plural {
        "configmaps" => "ConfigMap",
        "secrets" => "Secret",
        "pods" => "Pod",
        "nodes" => "Node",
        "roles" => "Role",
        _ => "Namespace",
    };
    let changed = json!({ "labels": { "changed": "yes" } });
    match *method {
        Method::POST => json!({ "apiVersion": version, "kind": kind, "metadata": { "name": "new" } }),
        Method::PUT => {
            json!({ "apiVersion": version, "kind": kind, "metadata": { "name": "one", "labels": { "changed": "yes" } } })
        }
        Method::PATCH => json!({ "metadata": changed }),
        _ => Value::Null,
    }
}

/// Whether a key lies within what the authorizer was asked about.
fn within(resources: &Resources, at: &Located, key: &str) -> bool {
    let Located::Resource(at) = at else { return false };
    let asked = at.attributes(at.verb);
    let found = resources.iter().filter(|r| *r.group == *asked.group && *r.plural == *asked.plural);
    found.filter(|r| key.starts_with(&*r.prefix)).any(|resource| {
        let (namespace, name) = resource.names(key);
        let here = !resource.namespaced || asked.namespace.is_empty() || asked.namespace == namespace;
        here && (asked.name.is_empty() || asked.name == name)
    })
}

fn judge(resources: &Resources, at: &Located, done: &Done) -> Result<(), String> {
    let verb = match at {
        Located::Resource(at) => at.verb,
        Located::Path(_) => "",
    };
    let writes = matches!(verb, "create" | "update" | "patch" | "delete" | "deletecollection");
    if !writes && !done.written.is_empty() {
        return Err(format!("{verb} wrote {:?}", done.written));
    }
    match done.read.union(&done.written).find(|key| !within(resources, at, key)) {
        Some(key) => Err(format!("touched {key}")),
        None => Ok(()),
    }
}

fn targets() -> Vec<(Method, String, Value)> {
    let mut out = Vec::new();
    for (root, version, plural) in KINDS {
        for before in BEFORE {
            for scope in SCOPES {
                for tail in TAILS {
                    let path = format!("{root}{before}{scope}{plural}{tail}");
                    for method in [Method::GET, Method::DELETE] {
                        out.extend(QUERIES.iter().map(|q| (method.clone(), format!("{path}{q}"), Value::Null)));
                    }
                    for method in [Method::POST, Method::PUT, Method::PATCH, Method::HEAD, Method::OPTIONS] {
                        let body = body(&method, version, plural);
                        out.push((method, path.clone(), body));
                    }
                }
            }
        }
    }
    out
}

#[tokio::test]
async fn nothing_is_touched_but_what_was_authorized() {
    let world = World::new().await;
    let resources = Resources::from_rows(eksile_kinds::table::ROWS);
    let admin = Caller::system("test");
    let mut faults = Vec::new();
    let mut verbs = BTreeSet::new();
    let (mut reads, mut writes) = (0, 0);
    let targets = targets();
    for (method, target, body) in &targets {
        let Ok(at) = world.locate(method, target) else { continue };
        let done = world.send(&admin, method, target, body, false).await;
        if let Err(fault) = judge(&resources, &at, &done) {
            faults.push(format!("{method} {target}: {fault}; authorized {:?}", at.attributes()));
        }
        if done.read.is_empty() && done.written.is_empty() {
            continue;
        }
        verbs.insert(at.attributes().verb.to_owned());
        reads += usize::from(!done.read.is_empty());
        writes += usize::from(!done.written.is_empty());
        if !done.written.is_empty() {
            world.restore().await;
        }
    }
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), targets.len(), faults[..faults.len().min(40)].join("\n"));
    // The test must have tried something.
    assert!(targets.len() > 40_000 && reads > 300 && writes > 100, "{} {reads} {writes}", targets.len());
    assert_eq!(verbs.len(), 8, "{verbs:?}");
}
