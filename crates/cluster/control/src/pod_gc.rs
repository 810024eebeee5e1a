//! Pods of a node that is no more are removed: there is nobody left to end them (`pkg/controller/podgc`).

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use eksile_kube::{Client, StatusError, object};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::feed::{self, text};

/// How often pods are looked at (`gcCheckPeriod`).
const PERIOD: Duration = Duration::from_secs(20);
/// Product time for which a node must be gone (`quarantineTime`): it may come back.
const QUARANTINE: SignedDuration = SignedDuration::from_secs(40);

/// Which nodes of pods are not there, and since when that is known.
#[derive(Debug, Default)]
struct Missing(HashMap<String, Timestamp>);

impl Missing {
    fn look<'p>(&mut self, pods: &'p [Value], nodes: &HashSet<&str>, now: Timestamp) -> Vec<&'p Value> {
        let of =
            |pod: &'p Value| Some(text(pod, "/spec/nodeName")).filter(|node| !node.is_empty() && !nodes.contains(node));
        let orphans: Vec<(&Value, &str)> = pods.iter().filter_map(|pod| Some((pod, of(pod)?))).collect();
        self.0.retain(|node, _| orphans.iter().any(|(_, of)| of == node));
        orphans
            .into_iter()
            .filter(|(_, node)| {
                let since = *self.0.entry((*node).to_owned()).or_insert(now);
                now.duration_since(since) >= QUARANTINE
            })
            .map(|(pod, _)| pod)
            .collect()
    }
}

/// The last status of a pod that had not ended; none for one that had.
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
    Some(json!({ "status": { "phase": "Failed", "conditions": conditions } }))
}

async fn apply(client: &Client, pod: &Value) -> Result<(), StatusError> {
    let path = format!("/api/v1/namespaces/{}/pods/{}", text(pod, "/metadata/namespace"), text(pod, "/metadata/name"));
    if let Some(status) = last_status(pod, &object::time(client.clock().now_wall())) {
        feed::unless_gone(client.merge(&format!("{path}/status"), &status).await)?;
    }
    feed::unless_gone(client.delete(&format!("{path}?gracePeriodSeconds=0")).await)
}

async fn round(client: &Client, missing: &mut Missing) -> Result<(), StatusError> {
    // Pods first: the node of each was there before it.
    let pods = client.get("/api/v1/pods").await?;
    let nodes = client.get("/api/v1/nodes").await?;
    let items = |list: &Value| list["items"].as_array().cloned().unwrap_or_default();
    let (pods, nodes) = (items(&pods), items(&nodes));
    let names = nodes.iter().map(|node| text(node, "/metadata/name")).collect();
    for pod in missing.look(&pods, &names, client.clock().now()) {
        if let Err(error) = apply(client, pod).await {
            tracing::warn!(pod = text(pod, "/metadata/name"), %error, "trying again in the next round");
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

    fn pod(name: &str, node: &str) -> Value {
        json!({"metadata": {"name": name}, "spec": {"nodeName": node}, "status": {"phase": "Running"}})
    }

    fn names<'p>(found: &[&'p Value]) -> Vec<&'p str> {
        found.iter().map(|pod| text(pod, "/metadata/name")).collect()
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
    fn only_a_pod_that_had_not_ended_is_said_to_have_failed() {
        let mut ended = pod("a", "n");
        assert_eq!(last_status(&ended, "t").unwrap()["status"]["phase"], "Failed");
        ended["status"]["phase"] = "Succeeded".into();
        assert_eq!(last_status(&ended, "t"), None);
    }
}
