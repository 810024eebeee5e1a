//! Fourth station: what is served where. It sees the located request alone, so that what runs is what was authorized.

use http::Method;

use crate::field::quote;
use crate::locate::{Before, ResourceRequest};
use crate::names;
use crate::resource::{Resource, Sub, SubKind, Verb};
use crate::status::{Details, StatusError};

/// What runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Handler {
    /// A verb on the object, its collection, or a part of the object.
    Verb(Verb),
    /// A subresource that takes another kind.
    Action,
    /// A stream to a node.
    Connect,
}

/// The handler of a request about this resource.
///
/// # Errors
/// 404 where nothing is served, 405 where the method is not, 400 for an object without a name.
pub(crate) fn handler(at: &ResourceRequest, resource: &Resource) -> Result<Handler, StatusError> {
    let form = &at.form;
    // Collections of all namespaces can be read, and nothing else is reached without its namespace or within a foreign one.
    let across = resource.namespaced && !form.scoped && form.depth == 1;
    if !form.rooted || form.scoped != resource.namespaced && !across {
        return Err(nothing_there());
    }
    let handler = match form.before {
        Before::Proxy => return Err(nothing_there()),
        Before::Watch => watch(at, resource)?,
        Before::Nothing => match form.depth {
            1 => Handler::Verb(collection(at, resource, across)?),
            2 => Handler::Verb(chosen(at, &resource.verbs, &[Verb::Get, Verb::Update, Verb::Patch, Verb::Delete])?),
            _ => part(at, resource)?,
        },
    };
    if form.depth > 1 {
        named(at, resource)?;
    }
    Ok(handler)
}

/// Refuses an object that cannot be: without a name or namespace, or with one that is no segment of a path.
fn named(at: &ResourceRequest, resource: &Resource) -> Result<(), StatusError> {
    if at.name.is_empty() {
        return Err(StatusError::bad_request("name must be provided"));
    }
    if at.form.before == Before::Watch {
        return Ok(());
    }
    if resource.namespaced && at.namespace.is_empty() {
        return Err(StatusError::bad_request("Namespace parameter required."));
    }
    let problems = names::path_segment(&at.name);
    if problems.is_empty() {
        return Ok(());
    }
    let name = quote(&at.name);
    Err(StatusError::bad_request(format!("Name parameter invalid: {name}: {}", problems.join(";"))))
}

/// Upstream's words about a path of a group that is served, where nothing is.
pub(crate) fn nothing_there() -> StatusError {
    StatusError::new(404, "NotFound", "the server could not find the requested resource").with(Details::default())
}

fn watch(at: &ResourceRequest, resource: &Resource) -> Result<Handler, StatusError> {
    if at.form.depth > 2 || !resource.verbs.contains(&Verb::Watch) {
        return Err(nothing_there());
    }
    if at.form.method != Method::GET {
        return Err(StatusError::method_not_allowed());
    }
    Ok(Handler::Verb(Verb::Watch))
}

fn collection(at: &ResourceRequest, resource: &Resource, across: bool) -> Result<Verb, StatusError> {
    let here: &[Verb] = if across { &[Verb::List] } else { &[Verb::List, Verb::Create, Verb::DeleteCollection] };
    let verb = chosen(at, &resource.verbs, here)?;
    match (verb, at.verb) {
        (Verb::List, "watch") if resource.verbs.contains(&Verb::Watch) => Ok(Verb::Watch),
        (Verb::List, "watch") => Err(StatusError::method_not_allowed()),
        _ => Ok(verb),
    }
}

fn part(at: &ResourceRequest, resource: &Resource) -> Result<Handler, StatusError> {
    let sub = resource.sub(&at.sub).ok_or_else(nothing_there)?;
    let proxy = sub.served == SubKind::Connect && sub.name == "proxy";
    if at.form.depth > 3 && !proxy {
        return Err(nothing_there());
    }
    if proxy && matches!(at.form.method, Method::HEAD | Method::OPTIONS) {
        return Ok(Handler::Connect);
    }
    let verb = chosen(at, sub.verbs, sub.verbs)?;
    Ok(served(sub, verb))
}

fn served(sub: &Sub, verb: Verb) -> Handler {
    match sub.served {
        SubKind::Part => Handler::Verb(verb),
        SubKind::Action => Handler::Action,
        SubKind::Connect => Handler::Connect,
    }
}

/// The verb of those that are served here, and that the resource has, that the method asks for.
fn chosen(at: &ResourceRequest, has: &[Verb], here: &[Verb]) -> Result<Verb, StatusError> {
    let mut offered = here.iter().copied().filter(|verb| has.contains(verb)).peekable();
    if offered.peek().is_none() {
        return Err(nothing_there());
    }
    offered.find(|verb| method(*verb) == at.form.method).ok_or_else(StatusError::method_not_allowed)
}

fn method(verb: Verb) -> Method {
    match verb {
        Verb::Create => Method::POST,
        Verb::Update => Method::PUT,
        Verb::Patch => Method::PATCH,
        Verb::Delete | Verb::DeleteCollection => Method::DELETE,
        Verb::Get | Verb::List | Verb::Watch => Method::GET,
    }
}
