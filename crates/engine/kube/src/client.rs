//! How everybody in the control plane's process reads and writes: through the same door, under a name.

use std::sync::Arc;

use bytes::Bytes;
use http::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::answer::{Answer, Body};
use crate::call::Head;
use crate::caller::Caller;
use crate::door::{Door, Run};
use crate::following::Ended;
use crate::locate::Located;
use crate::query::Query;
use crate::resource::Verb;
use crate::status::StatusError;
use crate::verbs::{EventKind, Events, Filter, Item};

/// Objects of a page, when a whole collection is read.
const PAGE: usize = 500;

/// A client with an identity. Paths are the API's own, query included.
#[derive(Clone)]
pub struct Client {
    door: Arc<Door>,
    caller: Arc<Caller>,
    agent: Arc<str>,
}

/// A change of an object.
#[derive(Debug, Clone)]
pub struct Event {
    /// Whether it is there after the change.
    pub exists: bool,
    /// The object; as it was, when it is gone.
    pub object: Value,
}

/// The changes of a collection: first everything that is there, then what happens.
pub struct Changes {
    events: Events,
}

impl Client {
    /// A client that acts as `caller` and manages fields as `agent`.
    #[must_use]
    pub fn new(door: Arc<Door>, caller: Arc<Caller>, agent: &str) -> Self {
        Self { door, caller, agent: agent.into() }
    }

    /// The cluster's clock.
    #[must_use]
    pub fn clock(&self) -> &eksile_base::Clock {
        self.door.clock()
    }

    /// Reads an object or a list.
    ///
    /// # Errors
    /// The door's answer.
    pub async fn get(&self, path: &str) -> Result<Value, StatusError> {
        self.send(Method::GET, path, None, "application/json").await
    }

    /// Reads what a `T` holds of every object of a collection, all at one revision. A collection can be large: what `T`
    /// leaves out takes no memory, and not all is in memory at once.
    ///
    /// # Errors
    /// The door's answer, also 410 when the collection is read so slowly that its revision is forgotten; 500 when an
    /// object is no `T`.
    pub async fn list<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>, StatusError> {
        let mut items = Vec::new();
        let mut page = format!("{path}?limit={PAGE}");
        loop {
            let list: List<T> = self.send(Method::GET, &page, None, "application/json").await?;
            items.extend(list.items);
            if list.metadata.next.is_empty() {
                return Ok(items);
            }
            page = format!("{path}?limit={PAGE}&continue={}", list.metadata.next);
        }
    }

    /// Creates an object in a collection.
    ///
    /// # Errors
    /// The door's answer.
    pub async fn create(&self, path: &str, object: &Value) -> Result<Value, StatusError> {
        self.send(Method::POST, path, Some(object), "application/json").await
    }

    /// Replaces an object or a part of it.
    ///
    /// # Errors
    /// The door's answer.
    pub async fn update(&self, path: &str, object: &Value) -> Result<Value, StatusError> {
        self.send(Method::PUT, path, Some(object), "application/json").await
    }

    /// Merges into an object (RFC 7386).
    ///
    /// # Errors
    /// The door's answer.
    pub async fn merge(&self, path: &str, patch: &Value) -> Result<Value, StatusError> {
        self.send(Method::PATCH, path, Some(patch), "application/merge-patch+json").await
    }

    /// Applies a configuration as `manager`, taking over what others manage.
    ///
    /// # Errors
    /// The door's answer.
    pub async fn apply(&self, path: &str, manager: &str, config: &Value) -> Result<Value, StatusError> {
        let path = format!("{path}?fieldManager={manager}&force=true");
        self.send(Method::PATCH, &path, Some(config), "application/apply-patch+yaml").await
    }

    /// Deletes an object or a collection.
    ///
    /// # Errors
    /// The door's answer.
    pub async fn delete(&self, path: &str) -> Result<Value, StatusError> {
        self.send(Method::DELETE, path, None, "application/json").await
    }

    /// Deletes an object with options (`meta/v1` `DeleteOptions`).
    ///
    /// # Errors
    /// The door's answer, also 409 when a precondition does not hold.
    pub async fn delete_with(&self, path: &str, options: &Value) -> Result<Value, StatusError> {
        self.send(Method::DELETE, path, Some(options), "application/json").await
    }

    async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        media: &str,
    ) -> Result<T, StatusError> {
        let body = match body {
            Some(value) => serde_json::to_vec(value).map_err(StatusError::internal)?.into(),
            None => Bytes::new(),
        };
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        let query = Query::parse(query);
        let at = self.door.locate(&method, path, &query).map_err(StatusError::internal)?;
        self.door.authorize(&self.caller, &at)?;
        let head = Head { accept: None, content_type: Some(media), user_agent: &self.agent };
        let run = Run { caller: &self.caller, at: &at, method: &method, query: &query, head, body };
        parsed(self.door.run(run).await?)
    }

    /// Paths of the collections that can be listed and deleted in a namespace.
    #[must_use]
    pub fn collections(&self, namespace: &str) -> Vec<String> {
        let mut paths: Vec<String> = Vec::new();
        let mut seen: Vec<&str> = Vec::new();
        for resource in self.door.resources.iter() {
            let listed = resource.namespaced && resource.stored && resource.verbs.contains(&Verb::DeleteCollection);
            if !listed || seen.contains(&&*resource.prefix) {
                continue;
            }
            seen.push(&resource.prefix);
            let root = if resource.group.is_empty() { "/api" } else { "/apis" };
            paths.push(format!("{root}/{}/namespaces/{namespace}/{}", resource.api_version, resource.plural));
        }
        paths
    }

    /// Follows a collection: `group`, `version`, `plural`, in all namespaces; of it, what the field selector `fields`
    /// selects.
    ///
    /// # Errors
    /// 404 when there is no such resource, 400 for a selector that it does not have, 403, 410 when the store has just
    /// moved on (try again).
    pub fn follow(&self, group: &str, version: &str, plural: &str, fields: &str) -> Result<Changes, StatusError> {
        let path = if group.is_empty() {
            format!("/api/{version}/{plural}")
        } else {
            format!("/apis/{group}/{version}/{plural}")
        };
        let text = format!("watch=1&fieldSelector={fields}");
        let query = Query::parse(Some(&text));
        let at = self.door.locate(&Method::GET, &path, &query).map_err(StatusError::internal)?;
        self.door.authorize(&self.caller, &at)?;
        let missing = || StatusError::not_found(group, plural, "");
        let Located::Resource(at) = at else { return Err(missing()) };
        let resource = at.resource.clone().ok_or_else(missing)?;
        let filter = Filter::of(&at)?;
        filter.check(&resource)?;
        let view = self.door.store.view();
        let initial = view.scan(&resource.prefix, None, usize::MAX);
        let prefix = resource.prefix.to_string();
        let events = Events::new(&self.door.store, resource, &prefix, filter, initial, view.revision().0)?;
        Ok(Changes { events })
    }
}

impl Changes {
    /// The next change.
    ///
    /// # Errors
    /// Whether there will be more.
    pub async fn next(&mut self) -> Result<Event, Ended> {
        loop {
            if let Item::Event(kind, object) = self.events.next().await? {
                match serde_json::from_slice(&object) {
                    Ok(object) => return Ok(Event { exists: kind != EventKind::Deleted, object }),
                    // One that nobody can read keeps nobody from the others.
                    Err(error) => tracing::error!(%error, "a stored object cannot be read; it is passed over"),
                }
            }
        }
    }
}

/// A page of a collection.
#[derive(Deserialize)]
struct List<T> {
    metadata: ListMeta,
    items: Vec<T>,
}

#[derive(Deserialize)]
struct ListMeta {
    #[serde(default, rename = "continue")]
    next: String,
}

fn parsed<T: DeserializeOwned>(answer: Answer) -> Result<T, StatusError> {
    let bytes = match answer.body {
        Body::Full(bytes) => bytes,
        Body::Pieces(pieces) => crate::answer::joined(pieces),
        Body::Stream(_) | Body::Passed(_) | Body::Lasting(..) => {
            return Err(StatusError::internal("a stream is not an object"));
        }
    };
    if answer.code >= 400 {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        return Err(StatusError::new(answer.code, "NotFound", text));
    }
    serde_json::from_slice(&bytes).map_err(StatusError::internal)
}
