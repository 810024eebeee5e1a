//! Hands the objects of a collection to a controller, one at a time, and again later when it fails.

use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;

use eksile_kube::client::{Changes, Event};
use eksile_kube::following::{self, Ended, SHORTEST};
use eksile_kube::{Client, StatusError};
use serde_json::Value;
use tokio::time::Instant;

/// Longest pause after an object's failure.
const LONGEST: Duration = Duration::from_secs(30);

/// A collection, or what a field selector leaves of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) group: &'static str,
    pub(crate) version: &'static str,
    pub(crate) plural: &'static str,
    pub(crate) fields: &'static str,
}

/// A collection of the core group.
pub(crate) const fn core(plural: &'static str) -> Kind {
    Kind { group: "", version: "v1", plural, fields: "" }
}

struct Retry {
    event: Event,
    at: Instant,
    pause: Duration,
}

/// Has `read` read a collection: first what is there, then every change, until it says why they ended. Whatever that is
/// but the store's end, the collection is read from its beginning again.
pub(crate) async fn follow<F>(client: &Client, controller: &str, kind: Kind, read: impl Fn(Changes) -> F)
where
    F: Future<Output = Ended>,
{
    let read = &read;
    let once = || async move {
        match client.follow(kind.group, kind.version, kind.plural, kind.fields) {
            Ok(changes) => read(changes).await,
            Err(error) => error.into(),
        }
    };
    following::again(&format!("{controller}: {}", kind.plural), once).await;
}

/// Calls `work` for every object that is there and for every change, until the store closes. What fails is tried again
/// with growing pauses, unless a newer state of the object comes first.
pub(crate) async fn each<W, F>(client: &Client, controller: &str, kind: Kind, work: W)
where
    W: Fn(Event) -> F,
    F: Future<Output = Result<(), StatusError>>,
{
    follow(client, controller, kind, |changes| hand_out(controller, changes, &work)).await;
}

async fn hand_out<W, F>(controller: &str, mut changes: Changes, work: &W) -> Ended
where
    W: Fn(Event) -> F,
    F: Future<Output = Result<(), StatusError>>,
{
    let mut retries: HashMap<String, Retry> = HashMap::new();
    loop {
        let due = retries.values().map(|r| r.at).min();
        let event = tokio::select! {
            event = changes.next() => match event {
                Ok(event) => event,
                Err(ended) => return ended,
            },
            () = wait(due) => match take_due(&mut retries) {
                Some(retry) => {
                    attempt(controller, retry.event, retry.pause, work, &mut retries).await;
                    continue;
                }
                None => continue,
            },
        };
        retries.remove(&key(&event.object));
        attempt(controller, event, SHORTEST, work, &mut retries).await;
    }
}

async fn wait(due: Option<Instant>) {
    match due {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

fn take_due(retries: &mut HashMap<String, Retry>) -> Option<Retry> {
    let key = retries.iter().min_by_key(|(_, r)| r.at)?.0.clone();
    retries.remove(&key)
}

async fn attempt<W, F>(controller: &str, event: Event, pause: Duration, work: &W, retries: &mut HashMap<String, Retry>)
where
    W: Fn(Event) -> F,
    F: Future<Output = Result<(), StatusError>>,
{
    // An object that cannot be worked on, and be it for a panic, keeps nobody from the others.
    let done = following::caught(|| work(event.clone())).await;
    let key = key(&event.object);
    let error = match done {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error,
        Err(cause) => {
            tracing::error!(controller, object = key, cause, "trying again later");
            StatusError::internal(cause)
        }
    };
    tracing::debug!(controller, object = key, %error, "trying again later");
    retries.insert(key, Retry { event, at: Instant::now() + pause, pause: (pause * 2).min(LONGEST) });
}

/// Namespace and name.
pub(crate) fn key(object: &Value) -> String {
    format!("{}/{}", text(object, "/metadata/namespace"), text(object, "/metadata/name"))
}

/// A text somewhere in an object, empty when it is missing.
pub(crate) fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// What was asked for, none when it is not there.
pub(crate) fn found<T>(result: Result<T, StatusError>) -> Result<Option<T>, StatusError> {
    match result {
        Err(error) if error.code() == 404 => Ok(None),
        other => other.map(Some),
    }
}

/// Success, also when the thing is there already.
pub(crate) fn unless_exists<T>(result: Result<T, StatusError>) -> Result<(), StatusError> {
    match result {
        Err(error) if error.reason() != "AlreadyExists" => Err(error),
        _ => Ok(()),
    }
}

/// Success, also when the thing is gone already.
pub(crate) fn unless_gone<T>(result: Result<T, StatusError>) -> Result<(), StatusError> {
    match result {
        Err(error) if error.code() != 404 => Err(error),
        _ => Ok(()),
    }
}
