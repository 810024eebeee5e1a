//! First station: from method, path and query to one value that says what is asked for
//! (`k8s.io/apiserver/pkg/endpoints/request/requestinfo.go`).
//!
//! Verb, resource, subresource, namespace, name and selectors are taken here, once. Authorization judges this value and
//! the verb runs on it: neither looks at the URL again.

use std::borrow::Cow;
use std::sync::Arc;

use http::Method;
use percent_encoding::percent_decode_str;

use crate::names;
use crate::query::Query;
use crate::resource::Resource;
use crate::resources::Resources;
use crate::selector::{FieldSelector, LabelSelector};
use crate::status::StatusError;

/// What is asked for.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "one a request, never kept; most are about resources")]
pub enum Located {
    /// Something that is not about a resource: health, version, discovery.
    Path(PathRequest),
    /// A resource: everything under `/api/VERSION/…` and `/apis/GROUP/VERSION/…`.
    Resource(ResourceRequest),
}

impl Located {
    /// The verb, as authorization names it.
    #[must_use]
    pub fn verb(&self) -> &str {
        match self {
            Self::Path(at) => &at.verb,
            Self::Resource(at) => at.verb,
        }
    }

    /// The request, if it is about a resource.
    #[must_use]
    pub fn resource(&self) -> Option<&ResourceRequest> {
        match self {
            Self::Path(_) => None,
            Self::Resource(at) => Some(at),
        }
    }
}

/// A request about a path.
#[derive(Debug)]
pub struct PathRequest {
    /// The method in lower case, whichever it is.
    pub verb: String,
    /// The path, decoded.
    pub path: String,
}

/// A request about a resource.
#[derive(Debug, Clone)]
pub struct ResourceRequest {
    /// The verb, as authorization names it; empty for methods that have none.
    pub verb: &'static str,
    /// API group; empty for the core group.
    pub group: String,
    /// Version.
    pub version: String,
    /// Plural.
    pub plural: String,
    /// Namespace; empty when the path has none. That of a namespace is itself.
    pub namespace: String,
    /// Name of the object that the request is confined to; empty for all of a collection. A list or watch has one where
    /// its field selector pins it, too.
    pub name: String,
    /// Subresource; empty for none.
    pub sub: String,
    /// What a list, watch or delete of a collection selects.
    pub selectors: Selectors,
    /// The form of the path.
    pub form: Form,
    /// The resource, when the cluster offers it.
    pub resource: Option<Arc<Resource>>,
}

/// The form of a path, for finding out whether something is served there.
#[derive(Debug, Clone)]
pub struct Form {
    /// HTTP method.
    pub method: Method,
    /// What stands before the resource.
    pub before: Before,
    /// Whether the path begins as served paths do: `/api/…` with a single slash.
    pub rooted: bool,
    /// Whether the resource follows a namespace.
    pub scoped: bool,
    /// Segments from the plural on: 1 for a collection, 2 for an object, 3 for a subresource, more for what follows it.
    pub depth: usize,
}

/// What stands before the resource in a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// The version.
    Nothing,
    /// The word `watch`, which makes it a watch whatever the method.
    Watch,
    /// The word `proxy`: nothing is served there any more.
    Proxy,
}

/// The selectors of a request, read once: who judges them and who applies them see the same.
#[derive(Debug, Clone)]
pub struct Selectors {
    /// By fields.
    pub fields: Result<FieldSelector, StatusError>,
    /// By labels.
    pub labels: Result<LabelSelector, StatusError>,
}

impl Default for Selectors {
    fn default() -> Self {
        Self { fields: Ok(FieldSelector::default()), labels: Ok(LabelSelector::default()) }
    }
}

impl Selectors {
    fn read(query: &Query<'_>) -> Self {
        Self {
            fields: FieldSelector::parse(query.get("fieldSelector")),
            labels: LabelSelector::parse(query.get("labelSelector")),
        }
    }

    /// The name that they pin, where all parameters of the list can be read.
    fn name(&self, query: &Query<'_>) -> Option<&str> {
        let whole = self.labels.is_ok() && query.number("limit").is_ok() && query.number("timeoutSeconds").is_ok();
        let name = self.fields.as_ref().ok().filter(|_| whole)?.exact("metadata.name")?;
        names::path_segment(name).is_empty().then_some(name)
    }
}

impl ResourceRequest {
    /// The field selector as authorizers may rely on it: not on paths that name a watch, which do not always heed it.
    #[must_use]
    pub fn judged_fields(&self) -> Option<&FieldSelector> {
        self.selectors.fields.as_ref().ok().filter(|_| self.form.before == Before::Nothing)
    }

    /// The same request, about one object of its collection.
    #[must_use]
    pub fn about(&self, namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.to_owned(), name: name.to_owned(), selectors: Selectors::default(), ..self.clone() }
    }
}

/// Why a request cannot be located.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// The path is no path.
    #[error("the path cannot be decoded")]
    Path,
    /// `watch` or `proxy` with nothing behind it.
    #[error("unable to determine kind and namespace from url, {0}")]
    Kind(String),
}

/// Finds out what a request is about.
///
/// # Errors
/// A path that cannot be taken apart.
pub fn locate(resources: &Resources, method: &Method, path: &str, query: &Query<'_>) -> Result<Located, Lost> {
    let path = decoded(path)?;
    let Some((group, version, parts)) = resource_parts(&path) else {
        return Ok(Located::Path(PathRequest { verb: method.as_str().to_lowercase(), path: path.into_owned() }));
    };
    let (before, parts) = match parts[0] {
        "watch" => (Before::Watch, &parts[1..]),
        "proxy" => (Before::Proxy, &parts[1..]),
        _ => (Before::Nothing, &parts[..]),
    };
    if parts.is_empty() {
        return Err(Lost::Kind(path.into_owned()));
    }
    let (namespace, parts, scoped) = match parts {
        ["namespaces", namespace, next, ..] if !matches!(*next, "status" | "finalize") => {
            (*namespace, &parts[2..], true)
        }
        ["namespaces", namespace, ..] => (*namespace, parts, false),
        _ => ("", parts, false),
    };
    let text = |at: usize| parts.get(at).copied().unwrap_or_default().to_owned();
    let form = Form { method: method.clone(), before, rooted: !path.starts_with("//"), scoped, depth: parts.len() };
    let mut request = ResourceRequest {
        verb: verb(before, method),
        group: group.to_owned(),
        version: version.to_owned(),
        plural: text(0),
        namespace: namespace.to_owned(),
        name: text(1),
        sub: if before == Before::Proxy { String::new() } else { text(2) },
        selectors: Selectors::default(),
        form,
        resource: resources.get(group, version, parts[0]).cloned(),
    };
    settle(&mut request, query);
    Ok(Located::Resource(request))
}

/// The path as it is meant: percent signs are read before slashes are.
fn decoded(path: &str) -> Result<Cow<'_, str>, Lost> {
    let bytes = path.as_bytes();
    let hex = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
    if bytes.iter().enumerate().any(|(at, byte)| *byte == b'%' && !(hex(at + 1) && hex(at + 2))) {
        return Err(Lost::Path);
    }
    Ok(percent_decode_str(path).decode_utf8_lossy())
}

/// Group, version and the segments after them; `None` for paths that name no resource. Slashes at both ends count for
/// nothing, those between segments do.
fn resource_parts(path: &str) -> Option<(&str, &str, Vec<&str>)> {
    let mut segments = path.trim_matches('/').split('/');
    let (group, version) = match segments.next()? {
        "api" => ("", segments.next()?),
        "apis" => (segments.next()?, segments.next()?),
        _ => return None,
    };
    let parts: Vec<&str> = segments.collect();
    if parts.is_empty() { None } else { Some((group, version, parts)) }
}

fn verb(before: Before, method: &Method) -> &'static str {
    match (before, method) {
        (Before::Watch, _) => "watch",
        (Before::Proxy, _) => "proxy",
        (_, &Method::POST) => "create",
        (_, &Method::PUT) => "update",
        (_, &Method::PATCH) => "patch",
        (_, &Method::DELETE) => "delete",
        (_, &Method::GET | &Method::HEAD) => "get",
        _ => "",
    }
}

/// What has no name is about a collection.
fn settle(request: &mut ResourceRequest, query: &Query<'_>) {
    let unnamed = request.name.is_empty();
    if !(unnamed && matches!(request.verb, "get" | "delete") || request.verb == "watch") {
        return;
    }
    request.selectors = Selectors::read(query);
    match request.verb {
        "get" => {
            request.verb = if query.flag("watch") { "watch" } else { "list" };
            if let Some(name) = request.selectors.name(query) {
                request.name = name.to_owned();
            }
        }
        "delete" => request.verb = "deletecollection",
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::{Row, Sub};

    fn at(method: &Method, path: &str, query: &str) -> Result<Located, Lost> {
        let rows = [
            Row::namespaced("", "v1", "Pod", "pods").subs(&[Sub::STATUS]),
            Row::cluster("", "v1", "Namespace", "namespaces"),
        ];
        locate(&Resources::from_rows(&rows), method, path, &Query::parse(Some(query)))
    }

    /// Verb, group, namespace, plural, name and subresource.
    fn seen(method: &Method, path: &str, query: &str) -> [String; 6] {
        match at(method, path, query) {
            Ok(Located::Resource(r)) => [r.verb.to_owned(), r.group, r.namespace, r.plural, r.name, r.sub],
            other => panic!("{path} is {other:?}"),
        }
    }

    #[test]
    fn every_form_of_a_path() {
        let get = Method::GET;
        let delete = Method::DELETE;
        for (method, path, query, expected) in [
            (&Method::PATCH, "/api/v1/namespaces/a/pods/b/status", "", ["patch", "", "a", "pods", "b", "status"]),
            (&get, "/api/v1/namespaces/a", "", ["get", "", "a", "namespaces", "a", ""]),
            (&Method::PUT, "/api/v1/namespaces/a/finalize", "", ["update", "", "a", "namespaces", "a", "finalize"]),
            (&get, "/api/v1/namespaces/a/namespaces/b", "", ["get", "", "a", "namespaces", "b", ""]),
            (&get, "/api/v1/namespaces", "", ["list", "", "", "namespaces", "", ""]),
            (&get, "/api/v1/pods/", "", ["list", "", "", "pods", "", ""]),
            (&get, "//api/v1/pods", "", ["list", "", "", "pods", "", ""]),
            (&get, "/api/v1//pods", "", ["get", "", "", "", "pods", ""]),
            (&get, "/api/v1/namespaces//pods", "", ["list", "", "", "pods", "", ""]),
            (&get, "/api/v1/namespaces/a/pods//log", "", ["list", "", "a", "pods", "", "log"]),
            (&get, "/api/v1/namespaces/a/pods/b%2Flog", "", ["get", "", "a", "pods", "b", "log"]),
            (&get, "/api/v1/namespaces/a%2Fpods/b", "", ["get", "", "a", "pods", "b", ""]),
            (&get, "/api/v1/%6eamespaces/a/pods/..", "", ["get", "", "a", "pods", "..", ""]),
            (&Method::HEAD, "/api/v1/pods", "watch", ["watch", "", "", "pods", "", ""]),
            (&Method::OPTIONS, "/api/v1/pods", "", ["", "", "", "pods", "", ""]),
            (&get, "/api/v1/watch/namespaces/a/pods/b", "", ["watch", "", "a", "pods", "b", ""]),
            (&delete, "/api/v1/watch/namespaces/a/pods", "", ["watch", "", "a", "pods", "", ""]),
            (&get, "/api/v1/watch/pods", "fieldSelector=metadata.name%3Dx", ["watch", "", "", "pods", "", ""]),
            (&get, "/api/v1/proxy/namespaces/a/pods/b/x", "", ["proxy", "", "a", "pods", "b", ""]),
            (&get, "/apis/g/v1/things", "", ["list", "g", "", "things", "", ""]),
            (&delete, "/api/v1/pods", "fieldSelector=metadata.name%3Dx", ["deletecollection", "", "", "pods", "", ""]),
            (&get, "/api/v1/pods", "watch=1&fieldSelector=metadata.name%3Dx", ["watch", "", "", "pods", "x", ""]),
            (&get, "/api/v1/pods", "fieldSelector=a%3Db,metadata.name%3Dx", ["list", "", "", "pods", "x", ""]),
            (&get, "/api/v1/pods", "fieldSelector=metadata.name!%3Dx", ["list", "", "", "pods", "", ""]),
            (&get, "/api/v1/pods", "fieldSelector=metadata.name%3D..", ["list", "", "", "pods", "", ""]),
            (&get, "/api/v1/pods", "limit=x&fieldSelector=metadata.name%3Dx", ["list", "", "", "pods", "", ""]),
            (&get, "/api/v1/pods", "labelSelector=)&fieldSelector=metadata.name%3Dx", ["list", "", "", "pods", "", ""]),
            (&get, "/api/v1/namespaces/a/pods/b", "watch=1", ["get", "", "a", "pods", "b", ""]),
        ] {
            assert_eq!(seen(method, path, query), expected, "{method} {path}?{query}");
        }
    }

    #[test]
    fn a_path_that_names_a_watch_lends_no_selector_to_authorizers() {
        let fields = |path: &str| match at(&Method::GET, path, "fieldSelector=spec.nodeName%3Dn") {
            Ok(Located::Resource(r)) => r.judged_fields().cloned(),
            other => panic!("{other:?}"),
        };
        assert_eq!(fields("/api/v1/watch/pods"), None);
        assert_eq!(fields("/api/v1/pods").unwrap().exact("spec.nodeName"), Some("n"));
    }

    #[test]
    fn other_paths_are_paths() {
        for (path, decoded) in [
            ("/apis/apps/v1", "/apis/apps/v1"),
            ("/healthz", "/healthz"),
            ("//", "//"),
            ("/%68ealthz", "/healthz"),
            ("/API/v1/pods/x", "/API/v1/pods/x"),
            ("/api/v1/", "/api/v1/"),
        ] {
            match at(&Method::POST, path, "") {
                Ok(Located::Path(found)) => assert_eq!((&*found.verb, &*found.path), ("post", decoded)),
                other => panic!("{path} is {other:?}"),
            }
        }
    }

    #[test]
    fn what_cannot_be_taken_apart_is_refused() {
        assert_eq!(at(&Method::GET, "/api/v1/%zz/x", "").unwrap_err(), Lost::Path);
        assert_eq!(at(&Method::GET, "/api/v1/watch", "").unwrap_err(), Lost::Kind("/api/v1/watch".to_owned()));
    }
}
