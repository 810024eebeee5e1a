//! Which groups, versions and resources there are: plain and aggregated.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};

use crate::answer::{Answer, Body};
use crate::negotiate::aggregated;
use crate::resource::{Resource, Sub, Verb};
use crate::resources::Resources;

/// The documents, made once.
pub(crate) struct Discovery {
    core: Bytes,
    groups: Bytes,
    /// Both in the aggregated form: core, groups.
    aggregated: (Bytes, Bytes),
}

impl Discovery {
    /// The documents of these resources.
    #[must_use]
    pub(crate) fn new(resources: &Resources) -> Self {
        let bytes = |value: &Value| Bytes::from(value.to_string());
        let core = json!({
            "kind": "APIVersions", "versions": ["v1"],
            "serverAddressByClientCIDRs": [{ "clientCIDR": "0.0.0.0/0", "serverAddress": "" }]
        });
        let groups: Vec<Value> =
            resources.groups().iter().filter(|(g, _)| !g.is_empty()).map(|(g, v)| group(g, v, false)).collect();
        let groups = json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": groups });
        let aggregated = (bytes(&aggregate(resources, true)), bytes(&aggregate(resources, false)));
        Self { core: bytes(&core), groups: bytes(&groups), aggregated }
    }

    /// `/api` and `/apis`.
    #[must_use]
    pub(crate) fn root(&self, accept: Option<&str>, core: bool) -> Answer {
        if aggregated(accept) {
            let content = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
            let bytes = if core { &self.aggregated.0 } else { &self.aggregated.1 };
            return Answer { code: 200, content, body: Body::Full(bytes.clone()), warnings: Vec::new(), etag: None };
        }
        Answer::json(200, if core { self.core.clone() } else { self.groups.clone() })
    }
}

/// `/apis/GROUP`.
#[must_use]
pub(crate) fn one_group(resources: &Resources, name: &str) -> Option<Answer> {
    let groups = resources.groups();
    let (_, versions) = groups.iter().find(|(g, _)| &**g == name && !g.is_empty())?;
    Some(Answer::value(200, &group(name, versions, true)))
}

/// `/api/v1` and `/apis/GROUP/VERSION`.
#[must_use]
pub(crate) fn one_version(resources: &Resources, group: &str, version: &str) -> Option<Answer> {
    if !resources.has(group, version) {
        return None;
    }
    let mut list = Vec::new();
    for resource in resources.of(group, version) {
        list.push(plain(&resource));
        list.extend(resource.subs.iter().map(|sub| plain_sub(&resource, sub)));
    }
    let name = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    let mut document = json!({ "kind": "APIResourceList", "groupVersion": name, "resources": list });
    if !group.is_empty() {
        document["apiVersion"] = "v1".into();
    }
    Some(Answer::value(200, &document))
}

fn group(name: &str, versions: &[std::sync::Arc<str>], whole: bool) -> Value {
    let list: Vec<Value> =
        versions.iter().map(|v| json!({ "groupVersion": format!("{name}/{v}"), "version": **v })).collect();
    let mut document = json!({ "name": name, "versions": list, "preferredVersion": list.first() });
    if whole {
        document["kind"] = "APIGroup".into();
        document["apiVersion"] = "v1".into();
    }
    document
}

fn verbs(verbs: &[Verb]) -> Vec<&'static str> {
    verbs.iter().map(|v| v.name()).collect()
}

fn plain(resource: &Resource) -> Value {
    let mut entry = json!({
        "name": *resource.plural, "singularName": *resource.singular, "namespaced": resource.namespaced,
        "kind": *resource.kind, "verbs": verbs(&resource.verbs)
    });
    if !resource.short.is_empty() {
        entry["shortNames"] = resource.short.iter().map(|s| Value::from(&**s)).collect();
    }
    if !resource.categories.is_empty() {
        entry["categories"] = resource.categories.iter().map(|s| Value::from(&**s)).collect();
    }
    if resource.stored {
        entry["storageVersionHash"] = storage_hash(resource).into();
    }
    entry
}

/// The first eight bytes of SHA-256 of `group/version/Kind`, base64.
fn storage_hash(resource: &Resource) -> String {
    // Kinds that are stored with another group's objects have that group's hash.
    let group = if resource.prefix.starts_with("/registry/events/") { "" } else { &*resource.group };
    let name = format!("{group}/{}/{}", resource.version, resource.kind);
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, name.as_bytes());
    STANDARD.encode(&digest.as_ref()[..8])
}

fn plain_sub(resource: &Resource, sub: &Sub) -> Value {
    let kind = if sub.kind.is_empty() { &*resource.kind } else { sub.kind };
    let mut entry = json!({
        "name": format!("{}/{}", resource.plural, sub.name), "singularName": "", "namespaced": resource.namespaced,
        "kind": kind, "verbs": verbs(sub.verbs)
    });
    let (group, version) = sub.group_version;
    if !version.is_empty() {
        entry["group"] = group.into();
        entry["version"] = version.into();
    }
    entry
}

fn aggregate(resources: &Resources, core: bool) -> Value {
    let mut items = Vec::new();
    for (group, versions) in resources.groups() {
        if group.is_empty() != core {
            continue;
        }
        let list: Vec<Value> = versions
            .iter()
            .map(|version| {
                let list: Vec<Value> = resources.of(&group, version).iter().map(|r| aggregated_resource(r)).collect();
                json!({ "version": **version, "resources": list, "freshness": "Current" })
            })
            .collect();
        let metadata = if core {
            json!({ "creationTimestamp": null })
        } else {
            json!({ "name": *group, "creationTimestamp": null })
        };
        items.push(json!({ "metadata": metadata, "versions": list }));
    }
    json!({
        "kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items
    })
}

fn aggregated_resource(resource: &Resource) -> Value {
    let kind = |group: &str, version: &str, kind: &str| json!({ "group": group, "version": version, "kind": kind });
    let mut entry = json!({
        "resource": *resource.plural,
        // Upstream leaves group and version empty where they are those of the list.
        "responseKind": kind("", "", &resource.kind),
        "scope": if resource.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": *resource.singular,
        "verbs": verbs(&resource.verbs)
    });
    if !resource.short.is_empty() {
        entry["shortNames"] = resource.short.iter().map(|s| Value::from(&**s)).collect();
    }
    if !resource.categories.is_empty() {
        entry["categories"] = resource.categories.iter().map(|s| Value::from(&**s)).collect();
    }
    let subs: Vec<Value> = resource
        .subs
        .iter()
        .map(|sub| {
            let name = if sub.kind.is_empty() { &*resource.kind } else { sub.kind };
            let (group, version) = sub.group_version;
            json!({ "subresource": sub.name, "responseKind": kind(group, version, name), "verbs": verbs(sub.verbs) })
        })
        .collect();
    if !subs.is_empty() {
        entry["subresources"] = subs.into();
    }
    entry
}
