//! Events about pods and their node, as the kubelet words them. Best effort: a lost event loses nothing else.

use std::collections::HashMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::api::{Api, Patch};

/// Most events remembered for counting repetitions.
const REMEMBERED: usize = 1000;
/// Most events waiting to be sent.
const WAITING: usize = 256;

struct Event {
    involved: Value,
    namespace: String,
    kind: &'static str,
    reason: &'static str,
    message: String,
}

/// Takes events and sends them in the background.
#[derive(Clone)]
pub(crate) struct Events(mpsc::Sender<Event>);

impl Events {
    /// Starts the sender.
    pub(crate) fn start(api: Arc<Api>, node: &str) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        tokio::spawn(send_all(api, node.to_owned(), receiver));
        Self(sender)
    }

    pub(crate) fn normal(&self, pod: &Pod, container: Option<&str>, reason: &'static str, message: String) {
        self.put(pod, container, "Normal", reason, message);
    }

    pub(crate) fn warning(&self, pod: &Pod, container: Option<&str>, reason: &'static str, message: String) {
        tracing::warn!(pod = pod.metadata.name, container, reason, message);
        self.put(pod, container, "Warning", reason, message);
    }

    /// Something about the node itself; its uid is its name, as far as a kubelet knows.
    pub(crate) fn of_node(&self, node: &str, reason: &'static str, message: String) {
        let involved = json!({"kind": "Node", "name": node, "uid": node});
        self.send(Event { involved, namespace: "default".to_owned(), kind: "Normal", reason, message });
    }

    fn put(&self, pod: &Pod, container: Option<&str>, kind: &'static str, reason: &'static str, message: String) {
        let meta = &pod.metadata;
        let mut involved = json!({
            "kind": "Pod", "apiVersion": "v1", "name": meta.name, "namespace": meta.namespace, "uid": meta.uid,
            "resourceVersion": meta.resource_version,
        });
        if let Some(container) = container {
            involved["fieldPath"] = format!("spec.containers{{{container}}}").into();
        }
        let namespace = meta.namespace.clone().unwrap_or_default();
        self.send(Event { involved, namespace, kind, reason, message });
    }

    fn send(&self, event: Event) {
        if self.0.try_send(event).is_err() {
            tracing::warn!("an event was dropped: too many are waiting");
        }
    }
}

struct Known {
    name: String,
    count: u32,
}

async fn send_all(api: Arc<Api>, node: String, mut events: mpsc::Receiver<Event>) {
    let mut known: HashMap<String, Known> = HashMap::new();
    while let Some(event) = events.recv().await {
        let key = format!("{}{}{}{}", event.involved["uid"], event.involved["fieldPath"], event.reason, event.message);
        if known.len() > REMEMBERED {
            known.clear();
        }
        let path = format!("/api/v1/namespaces/{}/events", event.namespace);
        let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        if let Some(seen) = known.get_mut(&key) {
            seen.count += 1;
            let change = json!({"count": seen.count, "lastTimestamp": now});
            if api.patch(&format!("{path}/{}", seen.name), Patch::Merge, &change).await.is_ok() {
                continue;
            }
        }
        let whose = event.involved["name"].as_str().unwrap_or_default();
        let name = format!("{whose}.{:x}", jiff::Timestamp::now().as_nanosecond());
        let body = json!({
            "apiVersion": "v1", "kind": "Event",
            "metadata": {"name": name, "namespace": event.namespace},
            "involvedObject": event.involved, "reason": event.reason, "message": event.message, "type": event.kind,
            "source": {"component": "kubelet", "host": node}, "reportingComponent": "kubelet",
            "reportingInstance": node, "firstTimestamp": now, "lastTimestamp": now, "count": 1,
        });
        match api.post::<Value>(&path, &body).await {
            Ok(_) => {
                known.insert(key, Known { name, count: 1 });
            }
            Err(error) => tracing::warn!(%error, "an event was not recorded"),
        }
    }
}
