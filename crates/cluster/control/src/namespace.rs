//! A deleted namespace goes when everything in it has gone.

use eksile_kube::{Client, StatusError};
use serde_json::{Value, json};

use crate::feed::{self, core, text};

/// The finalizer that this controller removes.
const OWN: &str = "kubernetes";

/// What to do about one namespace.
#[derive(Debug, PartialEq, Eq)]
enum Plan {
    Nothing,
    /// Delete what is in it; some is left.
    Empty,
    /// Nothing is left: remove the finalizer.
    Finalize,
}

fn plan(namespace: &Value, left: usize) -> Plan {
    let ours =
        namespace.pointer("/spec/finalizers").and_then(Value::as_array).is_some_and(|f| f.iter().any(|f| f == OWN));
    match (text(namespace, "/metadata/deletionTimestamp").is_empty(), ours, left) {
        (true, ..) | (false, false, _) => Plan::Nothing,
        (false, true, 0) => Plan::Finalize,
        (false, true, _) => Plan::Empty,
    }
}

/// Collections of the namespace that still hold something.
async fn observe(client: &Client, name: &str) -> Result<Vec<String>, StatusError> {
    let mut held = Vec::new();
    for collection in client.collections(name) {
        let list = client.get(&format!("{collection}?limit=1")).await?;
        if list.pointer("/items").and_then(Value::as_array).is_some_and(|items| !items.is_empty()) {
            held.push(collection);
        }
    }
    Ok(held)
}

async fn reconcile(client: &Client, namespace: &Value) -> Result<(), StatusError> {
    let name = text(namespace, "/metadata/name");
    if plan(namespace, 1) == Plan::Nothing {
        return Ok(());
    }
    for collection in observe(client, name).await? {
        feed::unless_gone(client.delete(&collection).await)?;
    }
    let left = observe(client, name).await?;
    match plan(namespace, left.len()) {
        Plan::Nothing => Ok(()),
        Plan::Empty => Err(StatusError::conflict("", "namespaces", name, "content is left")),
        Plan::Finalize => {
            let path = format!("/api/v1/namespaces/{name}");
            let mut object = match client.get(&path).await {
                Ok(object) => object,
                Err(error) => return feed::unless_gone::<()>(Err(error)),
            };
            let kept: Vec<Value> =
                object.pointer("/spec/finalizers").and_then(Value::as_array).cloned().unwrap_or_default();
            object["spec"] = json!({ "finalizers": kept.into_iter().filter(|f| f != OWN).collect::<Vec<_>>() });
            feed::unless_gone(client.update(&format!("{path}/finalize"), &object).await)
        }
    }
}

/// Runs until the store closes.
pub(crate) async fn run(client: Client) {
    feed::each(&client, "namespace", core("namespaces"), |event| {
        let client = client.clone();
        async move { if event.exists { reconcile(&client, &event.object).await } else { Ok(()) } }
    })
    .await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_when_it_is_empty() {
        let mut namespace = json!({"metadata": {"name": "a"}, "spec": {"finalizers": ["kubernetes"]}});
        assert_eq!(plan(&namespace, 0), Plan::Nothing);
        namespace["metadata"]["deletionTimestamp"] = "t".into();
        assert_eq!(plan(&namespace, 2), Plan::Empty);
        assert_eq!(plan(&namespace, 0), Plan::Finalize);
        namespace["spec"]["finalizers"] = json!(["other"]);
        assert_eq!(plan(&namespace, 0), Plan::Nothing);
    }
}
