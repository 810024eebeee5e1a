//! The objects that every cluster begins with.

use std::net::IpAddr;

use eksile_kube::{Client, StatusError};
use serde_json::{Value, json};

/// Namespaces of every cluster.
const NAMESPACES: &[&str] = &["default", "kube-system", "kube-public", "kube-node-lease"];

/// Makes what is missing. What is there is left as it is.
///
/// # Errors
/// The door's refusal, with what was to be made.
pub(crate) async fn bootstrap(client: &Client, service: IpAddr) -> Result<(), BootstrapError> {
    for name in NAMESPACES {
        ensure(client, "/api/v1/namespaces", &json!({ "metadata": { "name": name } })).await?;
    }
    let objects = eksile_kinds::bootstrap::rbac();
    // Together: the store makes them durable in a few batches.
    let (roles, bindings): (Vec<&Value>, Vec<&Value>) = objects.iter().partition(|o| o.get("roleRef").is_none());
    for group in [roles, bindings] {
        let made =
            group.into_iter().map(|object| async move { ensure(client, &rbac_collection(object), object).await });
        futures::future::try_join_all(made).await?;
    }
    ensure(client, "/api/v1/namespaces/default/services", &kubernetes_service(service)).await
}

/// An object of the bootstrap could not be made.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {source}")]
pub struct BootstrapError {
    what: String,
    source: StatusError,
}

async fn ensure(client: &Client, collection: &str, object: &Value) -> Result<(), BootstrapError> {
    match client.create(collection, object).await {
        Err(error) if error.reason() != "AlreadyExists" => {
            let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
            Err(BootstrapError { what: format!("{collection}/{name}"), source: error })
        }
        _ => Ok(()),
    }
}

fn rbac_collection(object: &Value) -> String {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let root = format!("/apis/{}", text("/apiVersion"));
    let plural = format!("{}s", text("/kind").to_lowercase());
    match text("/metadata/namespace") {
        "" => format!("{root}/{plural}"),
        namespace => format!("{root}/namespaces/{namespace}/{plural}"),
    }
}

fn kubernetes_service(address: IpAddr) -> Value {
    json!({
        "metadata": {
            "name": "kubernetes", "namespace": "default",
            "labels": { "component": "apiserver", "provider": "kubernetes" }
        },
        "spec": {
            "type": "ClusterIP", "clusterIP": address.to_string(), "clusterIPs": [address.to_string()],
            "ports": [{ "name": "https", "port": 443, "protocol": "TCP", "targetPort": 443 }], "sessionAffinity": "None"
        }
    })
}
