//! Every namespace has a `default` service account.

use eksile_kube::{Client, StatusError};
use serde_json::{Value, json};

use crate::feed::{self, core, text};

/// What to do about one namespace.
#[derive(Debug, PartialEq, Eq)]
enum Plan {
    Nothing,
    Create { namespace: String },
}

fn plan(namespace: &Value, exists: bool) -> Plan {
    if !exists
        || text(namespace, "/status/phase") == "Terminating"
        || !text(namespace, "/metadata/deletionTimestamp").is_empty()
    {
        return Plan::Nothing;
    }
    Plan::Create { namespace: text(namespace, "/metadata/name").to_owned() }
}

async fn apply(client: &Client, plan: Plan) -> Result<(), StatusError> {
    let Plan::Create { namespace } = plan else { return Ok(()) };
    let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts");
    if feed::found(client.get(&format!("{path}/default")).await)?.is_some() {
        return Ok(());
    }
    feed::unless_exists(client.create(&path, &json!({ "metadata": { "name": "default" } })).await)
}

/// Runs until the store closes.
pub(crate) async fn run(client: Client) {
    let namespaces = feed::each(&client, "serviceaccount", core("namespaces"), |event| {
        let client = client.clone();
        async move { apply(&client, plan(&event.object, event.exists)).await }
    });
    let accounts = feed::each(&client, "serviceaccount", core("serviceaccounts"), |event| {
        let client = client.clone();
        async move {
            if event.exists || text(&event.object, "/metadata/name") != "default" {
                return Ok(());
            }
            // It was deleted: its namespace says whether it should come back.
            let path = format!("/api/v1/namespaces/{}", text(&event.object, "/metadata/namespace"));
            match feed::found(client.get(&path).await)? {
                Some(namespace) => apply(&client, plan(&namespace, true)).await,
                None => Ok(()),
            }
        }
    });
    tokio::join!(namespaces, accounts);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_on_its_way_out_gets_none() {
        let name = json!({"metadata": {"name": "a"}});
        assert_eq!(plan(&name, true), Plan::Create { namespace: "a".to_owned() });
        assert_eq!(plan(&name, false), Plan::Nothing);
        assert_eq!(plan(&json!({"metadata": {"name": "a", "deletionTimestamp": "t"}}), true), Plan::Nothing);
    }
}
