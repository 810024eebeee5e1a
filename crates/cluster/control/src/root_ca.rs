//! Every namespace has the cluster's CA in the ConfigMap `kube-root-ca.crt`.

use std::sync::Arc;

use eksile_kube::{Client, StatusError};
use serde_json::{Value, json};

use crate::feed::{self, Kind, core, text};

const NAME: &str = "kube-root-ca.crt";

/// What to do about one namespace's map.
#[derive(Debug, PartialEq, Eq)]
enum Plan {
    Nothing,
    Create,
    Correct,
}

fn plan(namespace: &Value, map: Option<&Value>, ca: &str) -> Plan {
    if text(namespace, "/status/phase") == "Terminating" || !text(namespace, "/metadata/deletionTimestamp").is_empty() {
        return Plan::Nothing;
    }
    match map {
        None => Plan::Create,
        Some(map) if map.get("data").and_then(|d| d.get("ca.crt")).and_then(Value::as_str) == Some(ca) => Plan::Nothing,
        Some(_) => Plan::Correct,
    }
}

fn wanted(ca: &str) -> Value {
    let why = "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal \
               service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.";
    json!({ "metadata": { "name": NAME, "annotations": { "kubernetes.io/description": why } }, "data": { "ca.crt": ca } })
}

async fn reconcile(client: &Client, namespace: &str, ca: &str) -> Result<(), StatusError> {
    let Some(object) = feed::found(client.get(&format!("/api/v1/namespaces/{namespace}")).await)? else {
        return Ok(());
    };
    let path = format!("/api/v1/namespaces/{namespace}/configmaps");
    let map = feed::found(client.get(&format!("{path}/{NAME}")).await)?;
    match plan(&object, map.as_ref(), ca) {
        Plan::Nothing => Ok(()),
        Plan::Create => feed::unless_exists(client.create(&path, &wanted(ca)).await),
        Plan::Correct => {
            client.merge(&format!("{path}/{NAME}"), &json!({ "data": { "ca.crt": ca } })).await.map(|_| ())
        }
    }
}

/// Runs until the store closes.
pub(crate) async fn run(client: Client, ca: Arc<str>) {
    let namespaces = feed::each(&client, "root-ca", core("namespaces"), |event| {
        let (client, ca) = (client.clone(), ca.clone());
        async move {
            if event.exists { reconcile(&client, text(&event.object, "/metadata/name"), &ca).await } else { Ok(()) }
        }
    });
    // One map of each namespace, out of what may be very many.
    let kind = Kind { fields: "metadata.name=kube-root-ca.crt", ..core("configmaps") };
    let maps = feed::each(&client, "root-ca", kind, |event| {
        let (client, ca) = (client.clone(), ca.clone());
        async move { reconcile(&client, text(&event.object, "/metadata/namespace"), &ca).await }
    });
    tokio::join!(namespaces, maps);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_map_is_corrected() {
        let namespace = json!({"metadata": {"name": "a"}});
        assert_eq!(plan(&namespace, None, "x"), Plan::Create);
        assert_eq!(plan(&namespace, Some(&json!({"data": {"ca.crt": "y"}})), "x"), Plan::Correct);
        assert_eq!(plan(&namespace, Some(&json!({"data": {"ca.crt": "x"}})), "x"), Plan::Nothing);
        assert_eq!(plan(&json!({"status": {"phase": "Terminating"}}), None, "x"), Plan::Nothing);
    }
}
