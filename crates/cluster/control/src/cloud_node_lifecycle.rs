//! A node that is not ready and whose instance is no more is removed (`cloud-provider/controllers/nodelifecycle`): EKS'
//! cloud controller manager does it in the Region and in local clusters.

use std::sync::Arc;
use std::time::Duration;

use eksile_kube::{Client, StatusError, object};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::feed::{self, text};

/// How often nodes are looked at (`nodeMonitorPeriod`).
const PERIOD: Duration = Duration::from_secs(5);
/// Who reports the event.
const COMPONENT: &str = "cloud-node-lifecycle-controller";

/// What the cloud says of its instances.
pub trait Instances: Send + Sync {
    /// Whether an instance is there, in whatever state but terminated.
    ///
    /// # Errors
    /// Why that cannot be told now; then nothing is removed.
    fn exists(&self, instance: &str) -> Result<bool, String>;

    /// The machine that a node of this name is; `None` when there is none, or several.
    ///
    /// # Errors
    /// Why that cannot be told now; then nobody is it.
    fn named(&self, node: &str) -> Result<Option<Machine>, String>;
}

/// An instance as its cloud records it, whatever the instance says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Machine {
    /// Host names.
    pub names: Vec<String>,
    /// Addresses of its interfaces.
    pub addresses: Vec<std::net::IpAddr>,
}

/// The instance of a node: `aws:///ZONE/INSTANCE`.
fn instance(node: &Value) -> Option<&str> {
    let path = text(node, "/spec/providerID").strip_prefix("aws://")?;
    path.rsplit('/').next().filter(|id| id.starts_with("i-"))
}

fn ready(node: &Value) -> bool {
    let list = node.pointer("/status/conditions").and_then(Value::as_array);
    list.into_iter().flatten().any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

/// The nodes to remove. One that is ready is believed, and so is one that is no instance of this cloud.
fn plan<'n>(nodes: &'n [Value], cloud: &dyn Instances) -> Vec<&'n Value> {
    let gone = |node: &&Value| match instance(node).map(|id| cloud.exists(id)) {
        Some(Ok(exists)) => !exists,
        Some(Err(error)) => {
            tracing::warn!(node = text(node, "/metadata/name"), error, "whether its instance is there cannot be told");
            false
        }
        None => false,
    };
    nodes.iter().filter(|node| !ready(node)).filter(gone).collect()
}

fn event(node: &Value, now: Timestamp) -> Value {
    let (name, uid) = (text(node, "/metadata/name"), text(node, "/metadata/uid"));
    let own = format!("{name}.{:x}", now.as_nanosecond());
    let now = object::time(now);
    json!({
        "apiVersion": "v1", "kind": "Event", "metadata": { "name": own, "namespace": "default" },
        "involvedObject": { "kind": "Node", "name": name, "uid": uid },
        "type": "Normal", "reason": "DeletingNode",
        "message": format!("Deleting node {name} because it does not exist in the cloud provider"),
        "source": { "component": COMPONENT }, "reportingComponent": COMPONENT,
        "firstTimestamp": now, "lastTimestamp": now, "count": 1,
    })
}

async fn apply(client: &Client, node: &Value) -> Result<(), StatusError> {
    let told = client.create("/api/v1/namespaces/default/events", &event(node, client.clock().now_wall())).await;
    if let Err(error) = told {
        tracing::warn!(node = text(node, "/metadata/name"), %error, "an event is lost");
    }
    let path = format!("/api/v1/nodes/{}", text(node, "/metadata/name"));
    feed::unless_gone(client.delete(&path).await)
}

async fn round(client: &Client, cloud: &dyn Instances) -> Result<(), StatusError> {
    let nodes = client.list::<Value>("/api/v1/nodes").await?;
    for node in plan(&nodes, cloud) {
        if let Err(error) = apply(client, node).await {
            tracing::warn!(node = text(node, "/metadata/name"), %error, "trying again in the next round");
        }
    }
    Ok(())
}

/// Runs for ever.
pub(crate) async fn run(client: Client, cloud: Arc<dyn Instances>) {
    let mut ticks = tokio::time::interval(PERIOD);
    loop {
        ticks.tick().await;
        if let Err(error) = round(&client, cloud.as_ref()).await {
            tracing::warn!(%error, "cloud node lifecycle");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Has `i-1`, and cannot tell of `i-3`.
    struct Cloud;

    impl Instances for Cloud {
        fn exists(&self, instance: &str) -> Result<bool, String> {
            if instance == "i-3" { Err("the file is gone".to_owned()) } else { Ok(instance == "i-1") }
        }

        fn named(&self, _node: &str) -> Result<Option<Machine>, String> {
            Ok(None)
        }
    }

    fn node(name: &str, provider: &str, ready: &str) -> Value {
        json!({"metadata": {"name": name}, "spec": {"providerID": provider},
               "status": {"conditions": [{"type": "Ready", "status": ready}]}})
    }

    #[test]
    fn only_what_is_silent_and_known_to_be_gone_is_removed() {
        let nodes = [
            node("there", "aws:///us-west-2a/i-1", "Unknown"),
            node("gone", "aws:///us-west-2a/i-2", "Unknown"),
            node("gone-and-ready", "aws:///us-west-2a/i-2", "True"),
            node("untold", "aws:///us-west-2a/i-3", "False"),
            node("elsewhere", "kind://docker/i-2", "Unknown"),
            node("by-hand", "", "Unknown"),
        ];
        let names: Vec<&str> = plan(&nodes, &Cloud).into_iter().map(|node| text(node, "/metadata/name")).collect();
        assert_eq!(names, ["gone"]);
    }
}
