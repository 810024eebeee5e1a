//! The controllers of a cluster, one file each: observe, plan (pure), apply. All are clients with names.

mod certificates;
mod cloud_node_lifecycle;
mod feed;
mod namespace;
mod node_lifecycle;
mod pod_gc;
mod role_aggregation;
mod root_ca;
mod service_account;

use std::future::Future;
use std::sync::Arc;

pub use cloud_node_lifecycle::{Instances, Machine};

use eksile_kube::following::{self, Ended};
use eksile_kube::{Caller, Client, Door};
use eksile_pki::Authority;
use futures::FutureExt as _;

/// Starts all controllers; they run until the runtime ends. Without a cloud, nodes are nobody's instances.
pub fn start(door: &Arc<Door>, authority: &Arc<Authority>, cloud: Option<Arc<dyn Instances>>) {
    let client = |name: &str| {
        let caller = Caller::system(&format!("system:serviceaccount:kube-system:{name}"));
        Client::new(door.clone(), caller, "kube-controller-manager")
    };
    let (signer, ca): (_, Arc<str>) = (authority.clone(), authority.pem().into());
    let machines = cloud.clone();
    keep(&client, "certificate-controller", move |client| certificates::run(client, signer.clone(), machines.clone()));
    keep(&client, "namespace-controller", namespace::run);
    keep(&client, "service-account-controller", service_account::run);
    keep(&client, "root-ca-cert-publisher", move |client| root_ca::run(client, ca.clone()));
    keep(&client, "clusterrole-aggregation-controller", role_aggregation::run);
    keep(&client, "node-controller", node_lifecycle::run);
    keep(&client, "pod-garbage-collector", pod_gc::run);
    if let Some(cloud) = cloud {
        keep(&client, "node-controller", move |client| cloud_node_lifecycle::run(client, cloud.clone()));
    }
}

/// Runs a controller until the store closes. One that panics starts again: what it does it can do again.
fn keep<F>(
    client: &impl Fn(&str) -> Client,
    controller: &'static str,
    run: impl Fn(Client) -> F + Send + Sync + 'static,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let client = client(controller);
    tokio::spawn(kept(controller, move || run(client.clone())));
}

async fn kept<F: Future<Output = ()>>(controller: &'static str, run: impl Fn() -> F) {
    following::again(controller, || run().map(|()| Ended::Closed)).await;
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test]
    async fn a_controller_that_panics_starts_again() {
        let started = Cell::new(0);
        let run = || {
            started.set(started.get() + 1);
            let first = started.get() == 1;
            async move { assert!(!first, "as asked") }
        };
        kept("test", run).await;
        assert_eq!(started.get(), 2);
    }
}
