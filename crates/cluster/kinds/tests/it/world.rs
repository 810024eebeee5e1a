//! A door over a store in memory, with objects that carry the key under which they were put.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use eksile_kube::answer::{Answer, Body};
use eksile_kube::call::Head;
use eksile_kube::door::Run;
use eksile_kube::locate::{Located, Lost};
use eksile_kube::query::Query;
use eksile_kube::{Caller, Door, Parts, Resources, Settings, StatusError, User, Version};
use eksile_store::Store;
use futures::FutureExt as _;
use http::Method;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

/// Before the key in an object's annotation; keys end where the text does.
const MARK: &str = "\"at\":\"";

pub(crate) struct World {
    pub(crate) door: Arc<Door>,
    store: Store,
    seeds: BTreeMap<String, String>,
}

/// What a request came to.
pub(crate) struct Done {
    /// Status; 0 when the request could not be located.
    pub(crate) code: u16,
    /// Keys of seeds that the answer shows.
    pub(crate) read: BTreeSet<String>,
    /// Keys that changed.
    pub(crate) written: BTreeSet<String>,
}

impl World {
    /// Objects `one`, `one-more` and `two` in the namespaces `a` and `b` of these kinds (API version, kind, collection),
    /// and of the kinds without namespaces.
    pub(crate) async fn new() -> Self {
        let store = Store::in_memory();
        let door = Door::open(Parts {
            store: store.clone(),
            resources: Resources::from_rows(eksile_kinds::table::ROWS),
            schemas: eksile_kinds::schemas::builtin().clone(),
            descriptions: eksile_kinds::schemas::descriptions,
            clock: eksile_base::Clock::system(),
            settings: Settings {
                version: Version { major: "1".into(), minor: "33".into(), git: "v1.33.0".into() },
                service_cidrs: vec!["10.100.0.0/16".into()],
                issuer: "https://issuer".into(),
                longest_token: None,
            },
            authenticators: Vec::new(),
            validators: Vec::new(),
            kubelets: None,
            issuer: None,
        });
        let world = Self { door, store, seeds: seeds() };
        world.restore().await;
        world
    }

    /// Puts everything back as it was in the beginning.
    pub(crate) async fn restore(&self) {
        let written = self
            .store
            .write(|txn| {
                let there: Vec<String> =
                    txn.scan("/registry/", None, usize::MAX).iter().map(|e| e.key.to_string()).collect();
                for key in there.iter().filter(|key| !self.seeds.contains_key(*key)) {
                    txn.delete(key);
                }
                let revision = format!("\"resourceVersion\":\"{}\"", txn.revision().0);
                for (key, value) in &self.seeds {
                    txn.put(key, value.replace("\"resourceVersion\":\"1\"", &revision));
                }
                Ok::<(), std::convert::Infallible>(())
            })
            .await;
        assert!(written.is_ok());
    }

    pub(crate) fn locate(&self, method: &Method, target: &str) -> Result<Located, Lost> {
        let (path, query) = split(target);
        self.door.locate(method, path, &Query::parse(query))
    }

    /// Sends a request as `caller`, past authorization when `judged` is false.
    pub(crate) async fn send(
        &self,
        caller: &Arc<Caller>,
        method: &Method,
        target: &str,
        body: &Value,
        judged: bool,
    ) -> Done {
        let before = self.all();
        let answer = match self.locate(method, target) {
            Ok(at) => self.answer(caller, &at, method, split(target).1, body, judged).await,
            Err(_) => return Done { code: 0, read: BTreeSet::new(), written: BTreeSet::new() },
        };
        let after = self.all();
        let changed = |key: &&String| before.get(*key) != after.get(*key);
        let written = before.keys().chain(after.keys()).filter(changed).cloned().collect();
        match answer {
            Ok(answer) => {
                let code = answer.code;
                let text = shown(answer.body).await;
                let read = text.split(MARK).skip(1).map(|rest| rest[..rest.find('"').unwrap()].to_owned()).collect();
                Done { code, read, written }
            }
            Err(error) => Done { code: error.code(), read: BTreeSet::new(), written },
        }
    }

    async fn answer(
        &self,
        caller: &Arc<Caller>,
        at: &Located,
        method: &Method,
        query: Option<&str>,
        body: &Value,
        judged: bool,
    ) -> Result<Answer, StatusError> {
        if judged {
            self.door.authorize(caller, at)?;
        }
        let media = if *method == Method::PATCH { "application/merge-patch+json" } else { "application/json" };
        let head = Head { accept: None, content_type: Some(media), user_agent: "test" };
        let body = if body.is_null() { Bytes::new() } else { body.to_string().into() };
        let query = Query::parse(query);
        self.door.run(Run { caller, at, method, query: &query, head, body }).await
    }

    /// Stores a text as it stands.
    pub(crate) async fn store(&self, key: &str, text: &str) {
        let put = |txn: &mut eksile_store::Txn<'_>| {
            txn.put(key, text.to_owned());
            Ok::<(), std::convert::Infallible>(())
        };
        self.store.write(put).await.unwrap();
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.all().contains_key(key)
    }

    fn all(&self) -> BTreeMap<String, Bytes> {
        let entries = self.store.view().scan("/registry/", None, usize::MAX);
        entries.into_iter().map(|e| (e.key.to_string(), e.value)).collect()
    }

    /// Puts an object as it stands, and waits until rules that it brings count.
    pub(crate) async fn put(&self, key: &str, object: &Value) {
        let bytes = object.to_string();
        let done = self
            .store
            .write(|txn| {
                txn.put(key, bytes.clone());
                Ok::<(), std::convert::Infallible>(())
            })
            .await
            .unwrap();
        self.door.settled(done.revision.0).await;
    }
}

/// What an answer has to say without waiting for anything to happen.
async fn shown(mut body: Body) -> String {
    let mut bytes = Vec::new();
    while let Some(Some(Ok(frame))) = body.frame().now_or_never() {
        bytes.extend_from_slice(frame.data_ref().map_or(&[], |data| data));
    }
    String::from_utf8(bytes).unwrap()
}

fn split(target: &str) -> (&str, Option<&str>) {
    target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)))
}

fn seeds() -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    let mut put = |version: &str, kind: &str, key: String, namespace: &str, name: &str, rest: &Value| {
        let mut object = json!({ "metadata": {
            "name": name, "uid": format!("uid-{key}"), "creationTimestamp": "2024-01-01T00:00:00Z",
            "resourceVersion": "1", "annotations": { "at": key }
        }});
        if !namespace.is_empty() {
            object["metadata"]["namespace"] = namespace.into();
        }
        for (field, value) in rest.as_object().unwrap() {
            object[field] = value.clone();
        }
        // Stored objects begin so.
        let rest = object.to_string();
        out.insert(key, format!("{{\"kind\":\"{kind}\",\"apiVersion\":\"{version}\",{}", &rest[1..]));
    };
    for (version, kind, collection) in NAMESPACED {
        for namespace in ["a", "b"] {
            for name in NAMES {
                put(version, kind, format!("/registry/{collection}/{namespace}/{name}"), namespace, name, &json!({}));
            }
        }
    }
    for (version, kind, collection) in CLUSTER {
        for name in NAMES {
            put(version, kind, format!("/registry/{collection}/{name}"), "", name, &json!({}));
        }
    }
    for name in ["a", "b"] {
        let key = format!("/registry/namespaces/{name}");
        put("v1", "Namespace", key, "", name, &json!({ "spec": { "finalizers": ["kubernetes"] } }));
    }
    out
}

pub(crate) const NAMES: [&str; 3] = ["one", "one-more", "two"];
const NAMESPACED: [(&str, &str, &str); 4] = [
    ("v1", "ConfigMap", "configmaps"),
    ("v1", "Secret", "secrets"),
    ("v1", "Pod", "pods"),
    ("rbac.authorization.k8s.io/v1", "Role", "rbac.authorization.k8s.io/roles"),
];
const CLUSTER: [(&str, &str, &str); 2] = [("v1", "Node", "nodes"), ("v1", "Namespace", "namespaces")];

/// A caller with these groups and no more.
pub(crate) fn caller(name: &str, groups: &[&str]) -> Arc<Caller> {
    let groups = groups.iter().map(|g| (*g).to_owned()).collect();
    Caller::authenticated(User { name: name.to_owned(), groups, ..User::default() })
}
