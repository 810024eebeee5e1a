//! First station: from method and path to a resource and a verb.

use std::borrow::Cow;
use std::sync::Arc;

use http::Method;
use percent_encoding::percent_decode_str;

use crate::query::Query;
use crate::resource::Resource;
use crate::resources::Resources;
use crate::selector::FieldSelector;

/// What is asked for.
pub struct Located {
    /// The verb, as authorization names it.
    pub verb: &'static str,
    /// Set for paths under `/api/v1/…` and `/apis/G/V/…` that name a resource.
    pub resource: Option<ResourceRequest>,
}

/// A request about a resource.
pub struct ResourceRequest {
    /// API group; empty for the core group.
    pub group: String,
    /// Version.
    pub version: String,
    /// Plural.
    pub plural: String,
    /// Namespace; empty when the path has none.
    pub namespace: String,
    /// Name of the object; empty for collections.
    pub name: String,
    /// The name that a collection's field selector pins, for authorization.
    pub pinned: String,
    /// Subresource; empty for none.
    pub sub: String,
    /// What follows the subresource (proxies).
    pub rest: String,
    /// The resource, when the cluster offers it.
    pub resource: Option<Arc<Resource>>,
}

/// Finds out what a request is about.
#[must_use]
pub fn locate(resources: &Resources, method: &Method, path: &str, query: &Query<'_>) -> Located {
    let Some((group, version, parts)) = resource_parts(path) else {
        return Located { verb: plain_verb(method), resource: None };
    };
    let (parts, watching) = match parts.first().copied() {
        Some("watch") if parts.len() > 1 => (&parts[1..], true),
        _ => (&parts[..], false),
    };
    let mut request = split(parts);
    if watching && !request.name.is_empty() {
        // The old form of a watch on one object.
        request.pinned = std::mem::take(&mut request.name);
    }
    let verb = verb(method, &request, watching || query.flag("watch"));
    if request.name.is_empty() && request.pinned.is_empty() && matches!(verb, "list" | "watch" | "deletecollection") {
        request.pinned = pinned_name(query);
    }
    request.resource = resources.get(group, version, &request.plural).cloned();
    group.clone_into(&mut request.group);
    version.clone_into(&mut request.version);
    Located { verb, resource: Some(request) }
}

/// Group, version and the segments after them; `None` for paths that name no resource.
fn resource_parts(path: &str) -> Option<(&str, &str, Vec<&str>)> {
    let mut segments = path.strip_prefix('/')?.split('/').filter(|s| !s.is_empty());
    let (group, version) = match segments.next()? {
        "api" => ("", segments.next()?),
        "apis" => (segments.next()?, segments.next()?),
        _ => return None,
    };
    let parts: Vec<&str> = segments.collect();
    if parts.is_empty() { None } else { Some((group, version, parts)) }
}

fn split(parts: &[&str]) -> ResourceRequest {
    let mut namespace = String::new();
    let mut rest = parts;
    if parts[0] == "namespaces" && parts.len() > 1 {
        namespace = decoded(parts[1]);
        if parts.len() > 2 && !matches!(parts[2], "status" | "finalize") {
            rest = &parts[2..];
        }
    }
    ResourceRequest {
        group: String::new(),
        version: String::new(),
        plural: decoded(rest[0]),
        namespace,
        name: rest.get(1).map(|s| decoded(s)).unwrap_or_default(),
        pinned: String::new(),
        sub: rest.get(2).map(|s| decoded(s)).unwrap_or_default(),
        rest: rest.get(3..).map(|r| r.join("/")).unwrap_or_default(),
        resource: None,
    }
}

fn decoded(segment: &str) -> String {
    match percent_decode_str(segment).decode_utf8_lossy() {
        Cow::Borrowed(text) => text.to_owned(),
        Cow::Owned(text) => text,
    }
}

fn plain_verb(method: &Method) -> &'static str {
    match *method {
        Method::POST => "post",
        Method::PUT => "put",
        Method::PATCH => "patch",
        Method::DELETE => "delete",
        Method::HEAD => "head",
        Method::OPTIONS => "options",
        _ => "get",
    }
}

fn verb(method: &Method, request: &ResourceRequest, watching: bool) -> &'static str {
    match *method {
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE if request.name.is_empty() => "deletecollection",
        Method::DELETE => "delete",
        Method::GET | Method::HEAD if watching && request.name.is_empty() => "watch",
        Method::GET | Method::HEAD if request.name.is_empty() => "list",
        Method::GET | Method::HEAD => "get",
        _ => "",
    }
}

fn pinned_name(query: &Query<'_>) -> String {
    let text = query.get("fieldSelector");
    if text.is_empty() {
        return String::new();
    }
    FieldSelector::parse(text).ok().and_then(|s| s.exact("metadata.name").map(str::to_owned)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::{Row, Sub};

    fn at(method: &Method, path: &str, query: &str) -> Located {
        let rows = [
            Row::namespaced("", "v1", "Pod", "pods").subs(&[Sub::STATUS]),
            Row::cluster("", "v1", "Namespace", "namespaces"),
        ];
        locate(&Resources::from_rows(&rows), method, path, &Query::parse(Some(query)))
    }

    #[test]
    fn a_pod_and_its_status() {
        let found = at(&Method::PATCH, "/api/v1/namespaces/a/pods/b/status", "");
        let request = found.resource.unwrap();
        assert_eq!((found.verb, &*request.namespace, &*request.name, &*request.sub), ("patch", "a", "b", "status"));
        assert_eq!(&*request.resource.unwrap().kind, "Pod");
    }

    #[test]
    fn a_namespace_is_its_own_namespace() {
        let request = at(&Method::GET, "/api/v1/namespaces/a", "").resource.unwrap();
        assert_eq!((&*request.plural, &*request.namespace, &*request.name), ("namespaces", "a", "a"));
        let request = at(&Method::PUT, "/api/v1/namespaces/a/finalize", "").resource.unwrap();
        assert_eq!((&*request.plural, &*request.sub), ("namespaces", "finalize"));
    }

    #[test]
    fn a_watch_may_pin_a_name() {
        let found = at(&Method::GET, "/api/v1/pods", "watch=1&fieldSelector=metadata.name%3Dx");
        assert_eq!((found.verb, &*found.resource.unwrap().pinned), ("watch", "x"));
    }

    #[test]
    fn other_paths_are_paths() {
        assert!(at(&Method::GET, "/apis/apps/v1", "").resource.is_none());
        assert!(at(&Method::GET, "/healthz", "").resource.is_none());
        assert!(at(&Method::GET, "//", "").resource.is_none());
    }
}
