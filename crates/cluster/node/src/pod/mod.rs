//! Pods on a node: what is bound to it is watched, and each pod has a worker.

mod admit;
mod environment;
mod events;
mod files;
mod handler;
mod hook;
mod ipc;
mod late;
mod launch;
mod links;
mod mounts;
mod network;
mod oci;
mod probe;
mod publish;
#[cfg(test)]
mod recorder;
mod share;
mod slot;
mod source;
mod status;
mod stop;
mod storage;
mod task;
mod users;
mod verdict;
mod volumes;
mod worker;

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{Node, Pod};
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub(crate) use admit::Room;
pub(crate) use events::Events;
pub(crate) use ipc::Ipc;
pub(crate) use network::Network;
pub use network::NetworkError;
pub(crate) use slot::Run;
use verdict::Verdict;
use worker::{Wanted, Worker};

use crate::api::{ApiError, WatchEvent};
use crate::context::Context;
use crate::runtime::Container;
use crate::shim::protocol::files as names;

const RETRY: Duration = Duration::from_secs(1);
/// How long a new pod may wait for the labels of its node; the others wait with it.
const LABELS: Duration = Duration::from_secs(5);
/// For so long after that failed, each further pod waits a tenth only.
const UNREADABLE: Duration = Duration::from_secs(30);
/// How long the server holds a watch open.
const WATCH_SECONDS: u32 = 300;

/// A pod as the kubelet's own server sees it.
#[derive(Clone)]
pub(crate) struct View {
    pub(crate) pod: Arc<Pod>,
    /// By name: the start that runs (or ran last), and the one before.
    pub(crate) containers: HashMap<String, (Option<Run>, Option<Run>)>,
    /// Why a container has not run yet, by name; none of a pod that was turned away.
    pub(crate) waiting: HashMap<String, String>,
}

/// An OCI process for a further program in a container: as its first one, with another command.
pub(crate) fn exec_process(container: &Container, command: Vec<String>, terminal: bool) -> std::io::Result<Value> {
    let spec: Value = serde_json::from_slice(&fs::read(container.directory().join(names::SPEC))?)?;
    let mut process = spec["process"].clone();
    process["args"] = command.into();
    process["terminal"] = terminal.into();
    if terminal && let Some(env) = process["env"].as_array_mut() {
        env.push("TERM=xterm".into());
    }
    Ok(process)
}

struct Handle {
    wanted: watch::Sender<Wanted>,
    task: JoinHandle<()>,
    /// Whether it takes part in what the node's pods have together.
    counts: bool,
}

/// Runs the pods of the node, for ever.
pub(crate) async fn run(context: Arc<Context>) {
    let mut pods = Pods { context, handles: HashMap::new(), unreadable: None };
    loop {
        if let Err(error) = pods.follow().await {
            tracing::warn!(%error, "the watch of pods broke, will start again");
        }
        tokio::time::sleep(RETRY).await;
    }
}

struct Pods {
    context: Arc<Context>,
    handles: HashMap<String, Handle>,
    /// Since when the node's object cannot be read.
    unreadable: Option<Instant>,
}

impl Pods {
    /// Lists, then watches until the watch ends.
    async fn follow(&mut self) -> Result<(), ApiError> {
        let filter = format!("fieldSelector=spec.nodeName%3D{}", self.context.identity.name);
        let list: Value = self.context.api.get(&format!("/api/v1/pods?{filter}")).await?;
        let mut version = list["metadata"]["resourceVersion"].as_str().unwrap_or("0").to_owned();
        let mut seen = Vec::new();
        for item in list["items"].as_array().into_iter().flatten() {
            seen.extend(self.wanted(item, false).await);
        }
        let lost: Vec<String> = self.handles.keys().filter(|uid| !seen.contains(uid)).cloned().collect();
        for uid in lost {
            if let Some(handle) = self.handles.get(&uid) {
                handle.wanted.send_modify(|wanted| wanted.gone = true);
            }
        }
        loop {
            let query = format!(
                "/api/v1/pods?watch=true&{filter}&resourceVersion={version}&allowWatchBookmarks=true&timeoutSeconds={WATCH_SECONDS}"
            );
            let mut watch = self.context.api.watch(&query).await?;
            while let Some(WatchEvent { kind, object }) = watch.next().await? {
                if kind == "ERROR" {
                    // Expired: list again.
                    return Ok(());
                }
                if let Some(newer) = object["metadata"]["resourceVersion"].as_str() {
                    newer.clone_into(&mut version);
                }
                if kind != "BOOKMARK" {
                    self.wanted(&object, kind == "DELETED").await;
                }
            }
        }
    }

    /// Passes a pod to its worker, which is started if need be. Returns its uid.
    async fn wanted(&mut self, object: &Value, gone: bool) -> Option<String> {
        let pod: Pod = match serde_json::from_value(object.clone()) {
            Ok(pod) => pod,
            Err(error) => {
                tracing::error!(%error, "a pod was not understood");
                return None;
            }
        };
        let uid = pod.metadata.uid.clone()?;
        let wanted = Wanted { pod: Arc::new(pod), gone };
        self.handles.retain(|_, handle| !handle.task.is_finished());
        match self.handles.get(&uid) {
            Some(handle) => drop(handle.wanted.send_replace(wanted)),
            // Its last echo, after all was cleaned up.
            None if gone => {}
            None => {
                let verdict = self.admit(&wanted.pod).await;
                let counts = verdict.is_none();
                let (sender, receiver) = watch::channel(wanted);
                let task = Worker::start(self.context.clone(), receiver, verdict);
                self.handles.insert(uid.clone(), Handle { wanted: sender, task, counts });
            }
        }
        Some(uid)
    }

    /// Whether a new pod is let in; one that has ended already asks for nothing.
    async fn admit(&mut self, pod: &Pod) -> Option<Verdict> {
        if verdict::is_over(pod) {
            return None;
        }
        let asks = admit::asks_for_labels(pod);
        let labels = if asks { self.labels().await } else { None };
        if asks && labels.is_none() {
            // As upstream has it: the others must not wait for this one.
            return Some(Verdict::rejected("InvalidNodeInfo", "Kubelet cannot get node info."));
        }
        let name = &self.context.identity.name;
        let node = admit::Node { name, labels: labels.as_ref(), room: self.context.room() };
        let others: Vec<Arc<Pod>> = self
            .handles
            .values()
            .filter(|handle| handle.counts)
            .map(|handle| handle.wanted.borrow().pod.clone())
            .filter(|pod| !verdict::is_over(pod))
            .collect();
        let others: Vec<&Pod> = others.iter().map(AsRef::as_ref).collect();
        admit::check(pod, &node, &others).err()
    }

    /// The labels that the node's object has now; anybody may have added some. None: it cannot be read.
    async fn labels(&mut self) -> Option<BTreeMap<String, String>> {
        let path = format!("/api/v1/nodes/{}", self.context.identity.name);
        let failed = self.unreadable.is_some_and(|at| at.elapsed() < UNREADABLE);
        let most = if failed { LABELS / 10 } else { LABELS };
        let node: Option<Node> = within(most, || self.context.api.get(&path)).await;
        self.unreadable =
            if node.is_none() { self.unreadable.filter(|_| failed).or(Some(Instant::now())) } else { None };
        Some(node?.metadata.labels.unwrap_or_default())
    }
}

/// What `read` gives, tried again for a while.
async fn within<T, F, E>(most: Duration, mut read: impl FnMut() -> F) -> Option<T>
where
    F: Future<Output = Result<T, E>>,
    E: std::fmt::Display,
{
    let tried = async {
        loop {
            match read().await {
                Ok(value) => return value,
                Err(error) => tracing::warn!(%error, "the node's object cannot be read"),
            }
            tokio::time::sleep(RETRY).await;
        }
    };
    tokio::time::timeout(most, tried).await.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_cannot_be_read_is_not_waited_for_for_ever() {
        let most = Duration::from_millis(50);
        assert_eq!(within(most, || async { Ok::<_, String>(7) }).await, Some(7));
        assert_eq!(within(most, || async { Err::<u8, _>("no") }).await, None);
        assert_eq!(within(most, std::future::pending::<Result<u8, String>>).await, None);
    }
}
