//! Station 1: which service, which operation.
//!
//! All services share one endpoint, so the signing name in the credential scope says which is meant.

use bytes::Bytes;
use http::{Method, Request};

use super::claim::{Claim, single};
use super::dialect::{Dialect, Distrust};
use super::services::{Entry, Services};
use super::{BODY_LIMIT, sigv4};
use crate::codec::form::{self, Pairs};
use crate::contract::{Fault, Operation, Protocol, Service};
use crate::model::Facts;

/// A request whose service is known; who sent it is not.
#[derive(Debug)]
pub(crate) struct Located<'a> {
    pub(crate) service: &'static Service,
    pub(crate) claim: Claim,
    pub(crate) dialect: Dialect,
    pub(crate) target: Target<'a>,
    /// Decoded names and values of the query string.
    pub(crate) query: Pairs<'a>,
    /// Decoded names and values of a form; empty in JSON protocols.
    pub(crate) form: Pairs<'a>,
}

/// The operation that is meant.
#[derive(Debug)]
pub(crate) enum Target<'a> {
    /// One that is built here.
    Built { operation: &'static Operation, facts: &'a Facts, labels: Vec<(&'static str, String)> },
    /// One that AWS has.
    Unbuilt(String),
    /// Not even that.
    Unknown(String),
}

/// A fault before the service's own dialect is known for certain.
#[derive(Debug)]
pub(crate) struct Lost {
    pub(crate) dialect: Dialect,
    pub(crate) fault: Fault,
}

impl Lost {
    fn new(dialect: &Dialect, fault: Fault) -> Box<Self> {
        Box::new(Self { dialect: dialect.clone(), fault })
    }
}

/// Finds the service and the operation.
pub(crate) fn locate<'a>(services: &'a Services, request: &'a Request<Bytes>) -> Result<Located<'a>, Box<Lost>> {
    let guessed = Dialect::guessed(request);
    let query = form::pairs(request.uri().query().unwrap_or_default().as_bytes())
        .map_err(|error| Lost::new(&guessed, guessed.syntax(&error)))?;
    let claim = Claim::read(request.headers(), &query)
        .map_err(|(why, detail)| Lost::new(&guessed, guessed.distrust(why, &detail)))?;
    let form = form(request);
    let fields = form.as_deref().unwrap_or_default();
    let given = |name: &str| fields.iter().chain(&query).find(|(n, _)| n == name).map(|(_, value)| value.as_ref());
    let Some(entry) = services.named(&claim.service, given("Version")) else {
        let detail = format!("Credential should be scoped to a service that is known here, not '{}'.", claim.service);
        return Err(Lost::new(&guessed, guessed.distrust(Distrust::Incomplete, &detail)));
    };
    let mut dialect = Dialect::of(entry.service, request.headers());
    if request.body().len() > BODY_LIMIT {
        let fault = Fault::client("RequestEntityTooLarge", 413, "The request body is too large.");
        return Err(Lost::new(&dialect, fault));
    }
    let target = target(entry, request, given("Action"));
    let form = form.map_err(|error| Lost::new(&dialect, dialect.syntax(&error)))?;
    if let Target::Built { operation, .. } = &target {
        dialect.operation = operation.name;
    }
    Ok(Located { service: entry.service, claim, dialect, target, query, form })
}

/// The form in the body, unless the body is something else.
fn form(request: &Request<Bytes>) -> Result<Pairs<'_>, crate::codec::SyntaxError> {
    let kind = request.headers().get(http::header::CONTENT_TYPE);
    let is_form = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
    if is_form && request.body().len() <= BODY_LIMIT { form::pairs(request.body()) } else { Ok(Vec::new()) }
}

fn target<'a>(entry: &'a Entry, request: &Request<Bytes>, action: Option<&str>) -> Target<'a> {
    let (name, found) = match entry.service.protocol {
        Protocol::Query | Protocol::Ec2 => {
            let name = action.unwrap_or_default().to_owned();
            let found = entry.model.operation(&name).filter(|_| is_query(request));
            (name, found.map(|facts| (facts, Vec::new())))
        }
        Protocol::Json { target, .. } => {
            let header = single(request.headers(), "x-amz-target").ok().flatten().unwrap_or_default();
            let name = header.strip_prefix(target).and_then(|rest| rest.strip_prefix('.')).unwrap_or(header);
            (name.to_owned(), entry.model.operation(name).map(|facts| (facts, Vec::new())))
        }
        Protocol::RestJson(_) => {
            // As it was signed: a signature is for one operation.
            let (method, path) = (request.method().as_str(), sigv4::normal(request.uri().path()));
            (format!("{method} {path}"), entry.model.routed(method, &path))
        }
    };
    match found {
        None => Target::Unknown(name),
        Some((facts, labels)) => match entry.built.get(facts.name) {
            Some(operation) => Target::Built { operation, facts, labels },
            None => Target::Unbuilt(format!("{}:{}", entry.service.name, facts.name)),
        },
    }
}

/// Query protocols are POST with a form, or GET with everything in the query string.
fn is_query(request: &Request<Bytes>) -> bool {
    matches!(*request.method(), Method::GET | Method::POST)
}
