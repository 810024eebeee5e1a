//! What the service says to one request (EC2 user guide, "Use the Instance Metadata Service to access instance
//! metadata").

use std::time::Duration;

use bytes::Bytes;
use eksile_ec2::records::Instance;
use eksile_store::{Scope, Store};
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use serde_json::Value;

use super::{Tree, given::Given, tokens::Tokens};

const TOKEN: &str = "x-aws-ec2-metadata-token";
const TOKEN_TTL: HeaderName = HeaderName::from_static("x-aws-ec2-metadata-token-ttl-seconds");
/// Whoever sends it is a proxy, behind which anybody may be.
const FORWARDED: &str = "x-forwarded-for";
const TOKEN_PATH: &str = "latest/api/token";
/// Longest life of a token, seconds.
const LONGEST: u64 = 21600;
const ROLES: &str = "latest/meta-data/iam/security-credentials";

/// Versions of the tree, all of which are the latest here.
static VERSIONS: &[&str] = &[
    "1.0",
    "2007-01-19",
    "2007-03-01",
    "2007-08-29",
    "2007-10-10",
    "2007-12-15",
    "2008-02-01",
    "2008-09-01",
    "2009-04-04",
    "2011-01-01",
    "2011-05-01",
    "2012-01-12",
    "2014-02-25",
    "2014-11-05",
    "2015-10-20",
    "2016-04-19",
    "2016-06-30",
    "2016-09-02",
    "2018-03-28",
    "2018-08-17",
    "2018-09-24",
    "2019-10-01",
    "2020-10-27",
    "2021-01-03",
    "2021-03-23",
    "2021-07-15",
    "2022-09-24",
    "2024-04-11",
    "latest",
];

/// How far the response may travel; an extension of the response, not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct HopLimit(pub(super) u8);

/// What answers need.
pub(super) struct Answers {
    store: Store,
    given: Given,
    tokens: Tokens,
}

/// What a good request gets.
struct Told {
    body: Vec<u8>,
    /// What is left of the token that came, or that goes.
    left: Option<Duration>,
    hop_limit: Option<HopLimit>,
}

impl Answers {
    pub(super) fn new(store: Store, given: Given) -> Self {
        Self { store, given, tokens: Tokens::default() }
    }

    /// The answer to a request of `instance`; the request's body is not looked at.
    pub(super) async fn answer<B>(
        &self,
        request: &Request<B>,
        scope: &Scope,
        instance: &Instance,
    ) -> Response<Full<Bytes>> {
        match self.told(request, scope, instance).await {
            Ok(told) => told.response(),
            Err(status) => refusal(status),
        }
    }

    async fn told<B>(&self, request: &Request<B>, scope: &Scope, of: &Instance) -> Result<Told, StatusCode> {
        if !of.metadata_options.enabled {
            return Err(StatusCode::FORBIDDEN);
        }
        let path = latest(request.uri().path());
        match *request.method() {
            Method::PUT if path == TOKEN_PATH => self.token(request, of),
            Method::GET | Method::HEAD if path != TOKEN_PATH => {
                let left = self.session(request, of)?;
                let delivery = if left.is_some() { "2.0" } else { "1.0" };
                let body = match path.strip_prefix(ROLES) {
                    Some("") => self.role("", of, delivery).await?,
                    Some(rest) if rest.starts_with('/') => self.role(rest.trim_matches('/'), of, delivery).await?,
                    _ if path.is_empty() => VERSIONS.join("\n").into_bytes(),
                    _ => self.leaf(&path, scope, of)?,
                };
                Ok(Told { body, left, hop_limit: None })
            }
            _ => Err(StatusCode::METHOD_NOT_ALLOWED),
        }
    }

    /// A new session.
    fn token<B>(&self, request: &Request<B>, of: &Instance) -> Result<Told, StatusCode> {
        if request.headers().contains_key(FORWARDED) {
            return Err(StatusCode::FORBIDDEN);
        }
        let asked = single(request, TOKEN_TTL.as_str())?.ok_or(StatusCode::BAD_REQUEST)?;
        let digits = asked.bytes().all(|byte| byte.is_ascii_digit());
        let seconds: u64 = asked.parse().ok().filter(|_| digits).ok_or(StatusCode::BAD_REQUEST)?;
        if !(1..=LONGEST).contains(&seconds) {
            return Err(StatusCode::BAD_REQUEST);
        }
        let lifetime = Duration::from_secs(seconds);
        Ok(Told {
            body: self.tokens.make(&of.instance_id, lifetime).into_bytes(),
            left: Some(lifetime),
            hop_limit: Some(HopLimit(of.metadata_options.hop_limit)),
        })
    }

    /// What is left of the session; `None` without one, where none is required.
    fn session<B>(&self, request: &Request<B>, of: &Instance) -> Result<Option<Duration>, StatusCode> {
        let token = single(request, TOKEN).map_err(|_| StatusCode::UNAUTHORIZED)?;
        match token {
            Some(token) => match self.tokens.left(token, &of.instance_id) {
                Some(left) => Ok(Some(left)),
                None => Err(StatusCode::UNAUTHORIZED),
            },
            None if of.metadata_options.tokens_required => Err(StatusCode::UNAUTHORIZED),
            None => Ok(None),
        }
    }

    fn leaf(&self, path: &str, scope: &Scope, instance: &Instance) -> Result<Vec<u8>, StatusCode> {
        let tree = Tree::of(&self.store.view(), scope, instance).map_err(|error| {
            tracing::error!(%error, "metadata cannot be read");
            StatusCode::INTERNAL_SERVER_ERROR
        })?;
        tree.get(path).ok_or(StatusCode::NOT_FOUND)
    }

    /// The name of the instance's role, or its credentials.
    async fn role(&self, name: &str, instance: &Instance, delivery: &str) -> Result<Vec<u8>, StatusCode> {
        if instance.instance_profile.is_none() {
            return Err(StatusCode::NOT_FOUND);
        }
        let mut document = self.given.of(&instance.instance_id, delivery).await.map_err(|reason| {
            tracing::warn!(reason, instance = instance.instance_id, "no credentials for the instance's role");
            StatusCode::SERVICE_UNAVAILABLE
        })?;
        let named = document.as_object_mut().and_then(|members| members.remove("RoleName"));
        let Some(Value::String(role)) = named else { return Err(StatusCode::NOT_FOUND) };
        match name {
            "" => Ok(role.into_bytes()),
            name if name == role => Ok(document.to_string().into_bytes()),
            _ => Err(StatusCode::NOT_FOUND),
        }
    }
}

/// A header that comes once or not at all.
fn single<'a, B>(request: &'a Request<B>, name: &str) -> Result<Option<&'a str>, StatusCode> {
    let mut all = request.headers().get_all(name).iter();
    match (all.next(), all.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| StatusCode::BAD_REQUEST),
        (Some(_), Some(_)) => Err(StatusCode::BAD_REQUEST),
    }
}

/// A path in the latest version, without slashes at its ends.
fn latest(path: &str) -> String {
    let path = path.trim_matches('/');
    let (version, rest) = path.split_once('/').unwrap_or((path, ""));
    let version = if VERSIONS.contains(&version) { "latest" } else { version };
    if rest.is_empty() { version.to_owned() } else { format!("{version}/{rest}") }
}

impl Told {
    fn response(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(Bytes::from(self.body)));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        headers.insert(header::SERVER, HeaderValue::from_static("EC2ws"));
        if let Some(left) = self.left {
            headers.insert(TOKEN_TTL, HeaderValue::from(left.as_secs()));
        }
        if let Some(limit) = self.hop_limit {
            response.extensions_mut().insert(limit);
        }
        response
    }
}

/// A status, and its name for people.
pub(super) fn refusal(status: StatusCode) -> Response<Full<Bytes>> {
    let reason = status.canonical_reason().unwrap_or_default();
    let text = format!(
        "<html><head><title>{0} - {reason}</title></head><body>{0} - {reason}</body></html>\n",
        status.as_u16()
    );
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
    response.headers_mut().insert(header::SERVER, HeaderValue::from_static("EC2ws"));
    response
}

#[cfg(test)]
mod tests;
