//! A node whose lease is not renewed is not known to be ready (`pkg/controller/nodelifecycle`).

use std::collections::HashMap;
use std::time::Duration;

use eksile_kube::{Client, StatusError};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::feed::text;

/// How often leases are looked at.
const PERIOD: Duration = Duration::from_secs(5);
/// Product time after which a silent node is unknown.
const GRACE: SignedDuration = SignedDuration::from_secs(40);

const NOT_READY: &str = "node.kubernetes.io/not-ready";
const UNREACHABLE: &str = "node.kubernetes.io/unreachable";
/// Conditions that a kubelet reports.
const CONDITIONS: &[&str] = &["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"];

/// The last sign of life of a node: what its lease and status said, and when (product time) that was first seen.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    sign: String,
    at: Timestamp,
}

/// What to do about one node.
#[derive(Debug, PartialEq)]
struct Plan {
    /// New conditions, when the node is silent.
    conditions: Option<Vec<Value>>,
    /// New taints, when they change.
    taints: Option<Vec<Value>>,
}

fn ready(node: &Value) -> &str {
    let list = node.pointer("/status/conditions").and_then(Value::as_array);
    list.into_iter().flatten().find(|c| c["type"] == "Ready").and_then(|c| c["status"].as_str()).unwrap_or("")
}

fn plan(node: &Value, silent: bool, now: &str) -> Plan {
    let conditions = if silent && ready(node) != "Unknown" { Some(unknown(node, now)) } else { None };
    let key = match (silent, ready(node)) {
        (true, _) | (_, "Unknown") => Some(UNREACHABLE),
        (false, "True") => None,
        _ => Some(NOT_READY),
    };
    let before = node.pointer("/spec/taints").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut taints: Vec<Value> = before
        .iter()
        .filter(|t| ![NOT_READY, UNREACHABLE].contains(&text(t, "/key")) || key == Some(text(t, "/key")))
        .cloned()
        .collect();
    if let Some(key) = key {
        for effect in ["NoSchedule", "NoExecute"] {
            if !taints.iter().any(|t| t["key"] == key && t["effect"] == effect) {
                taints.push(json!({ "key": key, "effect": effect, "timeAdded": now }));
            }
        }
    }
    Plan { conditions, taints: (taints != before).then_some(taints) }
}

fn unknown(node: &Value, now: &str) -> Vec<Value> {
    let mut list = node.pointer("/status/conditions").and_then(Value::as_array).cloned().unwrap_or_default();
    for kind in CONDITIONS {
        let at = list.iter().position(|c| c["type"] == *kind);
        let at = at.unwrap_or_else(|| {
            list.push(json!({ "type": kind, "lastHeartbeatTime": now }));
            list.len() - 1
        });
        let condition = &mut list[at];
        if condition["status"] != "Unknown" {
            condition["status"] = "Unknown".into();
            condition["lastTransitionTime"] = now.into();
        }
        condition["reason"] = "NodeStatusUnknown".into();
        condition["message"] = "Kubelet stopped posting node status.".into();
    }
    list
}

/// Product time since the node's last sign of life.
fn silence(seen: &mut HashMap<String, Seen>, name: &str, sign: String, now: Timestamp) -> SignedDuration {
    match seen.get(name) {
        Some(last) if last.sign == sign => now.duration_since(last.at),
        _ => {
            seen.insert(name.to_owned(), Seen { sign, at: now });
            SignedDuration::ZERO
        }
    }
}

async fn apply(client: &Client, node: &Value, plan: Plan) -> Result<(), StatusError> {
    let path = format!("/api/v1/nodes/{}", text(node, "/metadata/name"));
    if let Some(conditions) = plan.conditions {
        client.merge(&format!("{path}/status"), &json!({ "status": { "conditions": conditions } })).await?;
    }
    if let Some(taints) = plan.taints {
        client.merge(&path, &json!({ "spec": { "taints": taints } })).await?;
    }
    Ok(())
}

async fn round(client: &Client, seen: &mut HashMap<String, Seen>) -> Result<(), StatusError> {
    let now = client.clock().now();
    let nodes = client.list::<Value>("/api/v1/nodes").await?;
    let leases = client.list::<Value>("/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases").await?;
    let renewed: HashMap<String, String> =
        leases.iter().map(|l| (text(l, "/metadata/name").to_owned(), text(l, "/spec/renewTime").to_owned())).collect();
    for node in nodes {
        let name = text(&node, "/metadata/name");
        let beat = node.pointer("/status/conditions/0/lastHeartbeatTime").and_then(Value::as_str).unwrap_or_default();
        let sign = format!("{} {beat}", renewed.get(name).map_or("", String::as_str));
        let silent = silence(seen, name, sign, now) > GRACE;
        let plan = plan(&node, silent, &eksile_kube::object::time(now));
        if let Err(error) = apply(client, &node, plan).await {
            tracing::debug!(node = name, %error, "trying again in the next round");
        }
    }
    Ok(())
}

/// Runs for ever.
pub(crate) async fn run(client: Client) {
    let mut seen = HashMap::new();
    let mut ticks = tokio::time::interval(PERIOD);
    loop {
        ticks.tick().await;
        if let Err(error) = round(&client, &mut seen).await {
            tracing::warn!(%error, "node lifecycle");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(ready: &str) -> Value {
        json!({"metadata": {"name": "n"}, "status": {"conditions": [{"type": "Ready", "status": ready}]}})
    }

    #[test]
    fn a_silent_node_becomes_unknown_and_tainted() {
        let found = plan(&node("True"), true, "t");
        assert_eq!(found.conditions.unwrap().len(), CONDITIONS.len());
        assert_eq!(found.taints.unwrap().len(), 2);
        assert_eq!(plan(&node("True"), false, "t"), Plan { conditions: None, taints: None });
    }

    #[test]
    fn a_node_that_comes_back_loses_the_taints() {
        let mut back = node("True");
        back["spec"] =
            json!({"taints": [{"key": UNREACHABLE, "effect": "NoExecute"}, {"key": "own", "effect": "NoSchedule"}]});
        assert_eq!(plan(&back, false, "t").taints.unwrap().len(), 1);
    }

    #[test]
    fn silence_is_product_time_since_the_last_change() {
        let (mut seen, start) = (HashMap::new(), Timestamp::UNIX_EPOCH);
        assert_eq!(silence(&mut seen, "n", "1".into(), start), SignedDuration::ZERO);
        let later = start + SignedDuration::from_secs(41);
        assert!(silence(&mut seen, "n", "1".into(), later) > GRACE);
        assert_eq!(silence(&mut seen, "n", "2".into(), later), SignedDuration::ZERO);
    }
}
