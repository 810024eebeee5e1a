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

use std::sync::Arc;

pub use cloud_node_lifecycle::{Instances, Machine};

use eksile_kube::{Caller, Client, Door};
use eksile_pki::Authority;

/// Starts all controllers; they run until the runtime ends. Without a cloud, nodes are nobody's instances.
pub fn start(door: &Arc<Door>, authority: &Arc<Authority>, cloud: Option<Arc<dyn Instances>>) {
    let client = |name: &str| {
        let caller = Caller::system(&format!("system:serviceaccount:kube-system:{name}"));
        Client::new(door.clone(), caller, "kube-controller-manager")
    };
    tokio::spawn(certificates::run(client("certificate-controller"), authority.clone(), cloud.clone()));
    tokio::spawn(namespace::run(client("namespace-controller")));
    tokio::spawn(service_account::run(client("service-account-controller")));
    tokio::spawn(root_ca::run(client("root-ca-cert-publisher"), authority.pem().into()));
    tokio::spawn(role_aggregation::run(client("clusterrole-aggregation-controller")));
    tokio::spawn(node_lifecycle::run(client("node-controller")));
    tokio::spawn(pod_gc::run(client("pod-garbage-collector")));
    if let Some(cloud) = cloud {
        tokio::spawn(cloud_node_lifecycle::run(client("node-controller"), cloud));
    }
}
