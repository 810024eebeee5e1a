//! Pods of a node that is no more are removed: there is nobody left to end them (`pkg/controller/podgc`).

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use eksile_kube::{Client, StatusError, object};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::feed::{self, text};

/// How often pods are looked at (`gcCheckPeriod`).
const PERIOD: Duration = Duration::from_secs(20);
/// Product time for which a node must be gone (`quarantineTime`): it may come back.
const QUARANTINE: SignedDuration = SignedDuration::from_secs(40);

/// What is read of every pod, of which there can be very many.
#[derive(Debug, Deserialize)]
struct Pod {
    metadata: Names,
    #[serde(default)]
    spec: Spec,
}

#[derive(Debug, Deserialize)]
struct Names {
    #[serde(default)]
    namespace: String,
    name: String,
    #[serde(default)]
    uid: String,
}

#[derive(Debug, Default, Deserialize)]
struct Spec {
    #[serde(default, rename = "nodeName")]
    node: String,
}

/// What is read of every node.
#[derive(Debug, Deserialize)]
struct Node {
    metadata: Names,
}

/// Which nodes of pods are not there, and since when that is known.
#[derive(Debug, Default)]
struct Missing(HashMap<String, Timestamp>);

impl Missing {
    fn look<'p>(&mut self, pods: &'p [Pod], nodes: &HashSet<&str>, now: Timestamp) -> Vec<&'p Pod> {
        let is_orphan = |pod: &&Pod| !pod.spec.node.is_empty() && !nodes.contains(&*pod.spec.node);
        let orphans: Vec<&Pod> = pods.iter().filter(is_orphan).collect();
        let named: HashSet<&str> = orphans.iter().map(|pod| &*pod.spec.node).collect();
        self.0.retain(|node, _| named.contains(&**node));
        orphans
            .into_iter()
            .filter(|pod| {
                let since = *self.0.entry(pod.spec.node.clone()).or_insert(now);
                now.duration_since(since) >= QUARANTINE
            })
            .collect()
    }
}

/// Whether what is read by a pod's name is still that pod, of that node.
fn is_same(listed: &Pod, read: &Value) -> bool {
    text(read, "/metadata/uid") == listed.metadata.uid && text(read, "/spec/nodeName") == listed.spec.node
}

/// The last status of a pod that had not ended, for that pod only; none for one that had.
fn last_status(pod: &Value, now: &str) -> Option<Value> {
    if ["Succeeded", "Failed"].contains(&text(pod, "/status/phase")) {
        return None;
    }
    let mut conditions = pod.pointer("/status/conditions").and_then(Value::as_array).cloned().unwrap_or_default();
    conditions.retain(|condition| condition["type"] != "DisruptionTarget");
    conditions.push(json!({
        "type": "DisruptionTarget", "status": "True", "reason": "DeletionByPodGC",
        "message": "PodGC: node no longer exists", "lastProbeTime": null, "lastTransitionTime": now,
    }));
    let uid = text(pod, "/metadata/uid");
    Some(json!({ "metadata": { "uid": uid }, "status": { "phase": "Failed", "conditions": conditions } }))
}

/// Ends the pod that was listed; another that has its name by now stays.
async fn apply(client: &Client, listed: &Pod) -> Result<(), StatusError> {
    let path = format!("/api/v1/namespaces/{}/pods/{}", listed.metadata.namespace, listed.metadata.name);
    let Some(pod) = feed::found(client.get(&path).await)?.filter(|pod| is_same(listed, pod)) else { return Ok(()) };
    if let Some(status) = last_status(&pod, &object::time(client.clock().now_wall())) {
        feed::unless_gone(client.merge(&format!("{path}/status"), &status).await)?;
    }
    let options = json!({ "gracePeriodSeconds": 0, "preconditions": { "uid": listed.metadata.uid } });
    feed::unless_gone(client.delete_with(&path, &options).await)
}

async fn round(client: &Client, missing: &mut Missing) -> Result<(), StatusError> {
    // Pods first: the node of each was there before it.
    let pods = client.list::<Pod>("/api/v1/pods").await?;
    let nodes = client.list::<Node>("/api/v1/nodes").await?;
    let names = nodes.iter().map(|node| &*node.metadata.name).collect();
    for pod in missing.look(&pods, &names, client.clock().now()) {
        if let Err(error) = apply(client, pod).await {
            tracing::warn!(pod = pod.metadata.name, %error, "trying again in the next round");
        }
    }
    Ok(())
}

/// Runs for ever.
pub(crate) async fn run(client: Client) {
    let mut missing = Missing::default();
    let mut ticks = tokio::time::interval(PERIOD);
    loop {
        ticks.tick().await;
        if let Err(error) = round(&client, &mut missing).await {
            tracing::warn!(%error, "pod garbage collection");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(name: &str, node: &str) -> Pod {
        serde_json::from_value(json!({"metadata": {"name": name}, "spec": {"nodeName": node}})).unwrap()
    }

    fn names<'p>(found: &[&'p Pod]) -> Vec<&'p str> {
        found.iter().map(|pod| &*pod.metadata.name).collect()
    }

    #[test]
    fn pods_go_when_their_node_was_gone_for_long() {
        let pods = [pod("kept", "there"), pod("orphan", "gone"), pod("unplaced", "")];
        let (mut missing, start) = (Missing::default(), Timestamp::UNIX_EPOCH);
        let there = HashSet::from(["there"]);
        assert!(missing.look(&pods, &there, start).is_empty());
        let later = start + QUARANTINE;
        assert_eq!(names(&missing.look(&pods, &there, later)), ["orphan"]);
        // It was back meanwhile: the time begins anew.
        assert!(missing.look(&pods, &HashSet::from(["there", "gone"]), later).is_empty());
        assert!(missing.look(&pods, &there, later).is_empty());
    }

    #[test]
    fn another_pod_of_the_same_name_is_not_the_one_that_was_listed() {
        let listed: Pod =
            serde_json::from_value(json!({"metadata": {"name": "p", "uid": "1"}, "spec": {"nodeName": "gone"}}))
                .unwrap();
        let read = |uid, node| json!({"metadata": {"name": "p", "uid": uid}, "spec": {"nodeName": node}});
        assert!(is_same(&listed, &read("1", "gone")));
        assert!(!is_same(&listed, &read("2", "gone")) && !is_same(&listed, &read("1", "there")));
        assert_eq!(last_status(&read("1", "gone"), "t").unwrap()["metadata"]["uid"], "1");
    }

    #[test]
    fn only_a_pod_that_had_not_ended_is_said_to_have_failed() {
        let mut ended = json!({"status": {"phase": "Running"}});
        assert_eq!(last_status(&ended, "t").unwrap()["status"]["phase"], "Failed");
        ended["status"]["phase"] = "Succeeded".into();
        assert_eq!(last_status(&ended, "t"), None);
    }
}
