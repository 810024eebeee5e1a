//! Plays a scenario against a server.

use std::collections::BTreeMap;
use std::time::Duration;

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue, USER_AGENT};
use http::{HeaderMap, Method};
use serde_json::{Value, json};

use crate::answer::{Answer, Answers};
use crate::client::{Client, ClientError, Reply};
use crate::corpus::{Request, Scenario};
use crate::mask::Mask;

/// Headers that are compared beside `Content-Type`.
const HEADERS: [HeaderName; 5] = [
    http::header::WARNING,
    http::header::ALLOW,
    http::header::RETRY_AFTER,
    http::header::WWW_AUTHENTICATE,
    http::header::LOCATION,
];
/// How often a request with `until` is sent, and the pause between.
const TRIES: usize = 100;
const PAUSE: Duration = Duration::from_millis(50);

/// Why a scenario could not be played to its end.
#[derive(Debug, thiserror::Error)]
pub enum PlayError {
    /// No answer to a request.
    #[error("{0}: {1}")]
    Client(String, ClientError),
    /// The scenario's own mistake.
    #[error("{0}: {1}")]
    Scenario(String, String),
}

/// Sends the requests of a scenario in order and returns the masked answers.
///
/// # Errors
/// When a request cannot be made or is not answered at all.
pub async fn play(client: &Client, scenario: &Scenario) -> Result<Answers, PlayError> {
    let mut state = State { scenario, client, mask: Mask::default(), captured: BTreeMap::new() };
    if scenario.namespace {
        state.make_namespace().await?;
    }
    let mut answers = Answers::new();
    for request in &scenario.requests {
        let answer = state.ask(request).await?;
        answers.insert(request.id.clone(), answer);
    }
    Ok(answers)
}

struct State<'a> {
    scenario: &'a Scenario,
    client: &'a Client,
    mask: Mask,
    captured: BTreeMap<String, String>,
}

impl State<'_> {
    async fn make_namespace(&mut self) -> Result<(), PlayError> {
        let name = self.scenario.namespace_name();
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        self.prepare("/api/v1/namespaces".to_owned(), &namespace).await?;
        let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}});
        self.prepare(format!("/api/v1/namespaces/{name}/serviceaccounts"), &account).await
    }

    async fn prepare(&mut self, path: String, body: &Value) -> Result<(), PlayError> {
        let place = format!("{}: preparing {path}", self.scenario.name);
        let headers = headers("admin", Some("json"), None).map_err(|e| PlayError::Scenario(place.clone(), e))?;
        let reply = self
            .client
            .send(Method::POST, &path, headers, Some(body.to_string()))
            .await
            .map_err(|e| PlayError::Client(place.clone(), e))?;
        match reply.status.as_u16() {
            201 | 409 => Ok(()),
            other => {
                Err(PlayError::Scenario(place, format!("answered {other}: {}", String::from_utf8_lossy(&reply.body))))
            }
        }
    }

    async fn ask(&mut self, request: &Request) -> Result<Answer, PlayError> {
        let place = format!("{}/{}", self.scenario.name, request.id);
        let broken = |what: String| PlayError::Scenario(place.clone(), what);
        let (method, path) = request.send.split_once(' ').ok_or_else(|| broken("no method".into()))?;
        let method: Method = method.parse().map_err(|_| broken(format!("method {method:?}")))?;
        let path = self.fill(path).map_err(broken)?;
        let body = self.scenario.body(request).map(|b| self.fill(&b)).transpose().map_err(broken)?;
        let content = request.content.as_deref().or(body.is_some().then_some("json"));
        let mut headers = headers(&request.user, content, request.accept.as_deref()).map_err(broken)?;
        self.add(request, &mut headers).map_err(broken)?;
        // As the corpus has it: what a server gave and the client sends back is still the server's choice.
        self.mask.heard(&request.send);
        self.mask.heard(self.scenario.body(request).as_deref().unwrap_or_default());

        let mut tries = 0;
        let reply = loop {
            let sent = self.client.send(method.clone(), &path, headers.clone(), body.clone()).await;
            let reply = sent.map_err(|e| PlayError::Client(place.clone(), e))?;
            tries += 1;
            if request.until.is_none_or(|wanted| wanted == reply.status.as_u16()) || tries == TRIES {
                break reply;
            }
            tokio::time::sleep(PAUSE).await;
        };
        self.answer(request, &reply, body.as_deref()).map_err(broken)
    }

    /// The request's own headers; one that names an identity stands for the user's.
    fn add(&self, request: &Request, headers: &mut HeaderMap) -> Result<(), String> {
        for (name, values) in &request.headers {
            let name: HeaderName = name.parse().map_err(|e| format!("{name:?}: {e}"))?;
            headers.remove(&name);
            for value in values.all() {
                let value = self.fill(value)?;
                let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|e| format!("{value:?}: {e}"))?;
                headers.append(name.clone(), value);
            }
        }
        Ok(())
    }

    fn answer(&mut self, request: &Request, reply: &Reply, sent: Option<&str>) -> Result<Answer, String> {
        let content = header_text(&reply.headers, &CONTENT_TYPE).join(", ");
        let mut body = parse(&content, &reply.body, request.watch);
        for (name, pointer) in &request.capture {
            let value = body.pointer(pointer).ok_or_else(|| format!("nothing at {pointer} in {body}"))?;
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            self.captured.insert(name.clone(), text);
        }
        let prefix = sent
            .and_then(|text| serde_json::from_str::<Value>(text).ok())
            .and_then(|v| v.pointer("/metadata/generateName").and_then(Value::as_str).map(str::to_owned));
        let name = body.pointer("/metadata/name").or_else(|| body.pointer("/details/name"));
        if let (Some(prefix), Some(name)) = (prefix, name.and_then(Value::as_str)) {
            self.mask.named(&prefix, name);
        }
        for (pointer, keep) in &request.keep {
            if let Some(Value::Array(items)) = body.pointer_mut(pointer) {
                items.retain(|item| {
                    let field = item.pointer(&keep.field).and_then(Value::as_str).unwrap_or_default();
                    keep.values.iter().any(|v| v == field)
                });
            }
        }
        let mut headers = Vec::new();
        for name in &HEADERS {
            for text in header_text(&reply.headers, name) {
                headers.push(self.mask.text(&format!("{name}: {text}")));
            }
        }
        Ok(Answer { status: reply.status.as_u16(), content, headers, body: self.mask.body(body) })
    }

    /// Puts the namespace's path and captured values in.
    fn fill(&self, text: &str) -> Result<String, String> {
        let namespace = self.scenario.namespace_name();
        let mut out = text.replace("$ns", &format!("/api/v1/namespaces/{namespace}"));
        out = out.replace("${namespace}", &namespace);
        for (name, value) in &self.captured {
            out = out.replace(&format!("${{{name}}}"), value);
        }
        match out.find("${") {
            Some(at) => Err(format!("no value for {}", &out[at..out.len().min(at + 20)])),
            None => Ok(out),
        }
    }
}

fn header_text(headers: &HeaderMap, name: &HeaderName) -> Vec<String> {
    headers.get_all(name).iter().map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned()).collect()
}

fn headers(user: &str, content: Option<&str>, accept: Option<&str>) -> Result<HeaderMap, String> {
    let value = |text: &str| HeaderValue::from_str(text).map_err(|e| format!("{text:?}: {e}"));
    let mut headers = HeaderMap::new();
    headers.insert(USER_AGENT, HeaderValue::from_static("oracle/1.0"));
    if user != "nobody" {
        headers.insert(AUTHORIZATION, value(&format!("Bearer {user}-token"))?);
    }
    if let Some(content) = content {
        headers.insert(CONTENT_TYPE, value(media_type(content))?);
    }
    headers.insert(ACCEPT, value(media_type(accept.unwrap_or("json")))?);
    Ok(headers)
}

/// Media types by their short names.
fn media_type(name: &str) -> &str {
    match name {
        "json" => "application/json",
        "yaml" => "application/yaml",
        "protobuf" => "application/vnd.kubernetes.protobuf",
        "json-patch" => "application/json-patch+json",
        "merge" => "application/merge-patch+json",
        "strategic" => "application/strategic-merge-patch+json",
        "apply" => "application/apply-patch+yaml",
        "table" => "application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
        "partial" => "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io,application/json",
        "partial-list" => "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json",
        other => other,
    }
}

fn parse(content: &str, body: &[u8], watch: bool) -> Value {
    let text = || Value::String(String::from_utf8_lossy(body).into_owned());
    if !content.starts_with("application/json") {
        return text();
    }
    if watch {
        let events: Result<Vec<Value>, _> = serde_json::Deserializer::from_slice(body).into_iter().collect();
        return events.map_or_else(|_| text(), Value::Array);
    }
    serde_json::from_slice(body).unwrap_or_else(|_| text())
}
