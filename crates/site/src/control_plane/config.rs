use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use eksile_ec2::records::{Instance, InstanceRole, WantedInstanceState};
use eksile_eks::records::{AccessEntry, AuthenticationMode, Cluster, Creator};
use eksile_linux::Namespace;
use eksile_store::Scope;
use serde::Serialize;

use super::{API_PORT, ControlPlaneError};

/// The control plane's configuration file, as `eksile control-plane --config` reads it.
#[derive(Debug, Serialize)]
pub(super) struct Config {
    cluster: ClusterName,
    data: PathBuf,
    listeners: Vec<Listener>,
    serving_names: Vec<String>,
    service_cidr: String,
    iam: Iam,
    kubelet_netns: Option<PathBuf>,
    ready_file: PathBuf,
}

#[derive(Debug, Serialize)]
struct ClusterName {
    name: String,
    id: String,
    version: String,
    account: String,
    region: String,
}

#[derive(Debug, Serialize)]
struct Listener {
    address: SocketAddr,
    netns: PathBuf,
}

#[derive(Debug, Serialize)]
struct Iam {
    sts_address: SocketAddr,
    sts_netns: Option<PathBuf>,
    sts_ca: PathBuf,
    cluster_identifier: String,
    access_file: PathBuf,
}

/// Who may come in: read by the running control plane whenever it changes.
#[derive(Debug, Serialize)]
pub(super) struct Access {
    mode: AuthenticationMode,
    creator: Option<Creator>,
    entries: Vec<AccessEntry>,
    instances: BTreeMap<String, String>,
    addresses: BTreeMap<String, Vec<String>>,
}

pub(super) fn config(
    scope: &Scope,
    cluster: &Cluster,
    folder: &Path,
    public_ca: &Path,
    sts: SocketAddr,
) -> Result<Config, ControlPlaneError> {
    let places = cluster.members.iter().map(|member| Namespace::named(&member.instance_id).path().to_owned());
    let listeners = addresses(cluster)?.into_iter().zip(places.clone());
    let listeners = listeners.map(|(address, netns)| Listener { address, netns });
    let mut serving_names = vec![cluster.endpoint_name.clone(), "127.0.0.1".to_owned()];
    serving_names.extend(cluster.members.iter().map(|member| member.private_ip.clone()));
    // Callers of a local cluster are bound to its id; those of others to its name.
    let identifier = if cluster.outpost_config.is_some() { &cluster.id } else { &cluster.name };
    Ok(Config {
        cluster: ClusterName {
            name: cluster.name.clone(),
            id: cluster.id.clone(),
            version: cluster.version.clone(),
            account: scope.account.clone(),
            region: scope.region.clone(),
        },
        data: folder.to_owned(),
        listeners: listeners.collect(),
        serving_names,
        service_cidr: cluster.service_ipv4_cidr.clone(),
        iam: Iam {
            sts_address: sts,
            sts_netns: places.clone().next(),
            sts_ca: public_ca.to_owned(),
            cluster_identifier: identifier.clone(),
            access_file: folder.join("access.json"),
        },
        kubelet_netns: places.clone().next(),
        ready_file: folder.join("ready.json"),
    })
}

/// Where the members answer.
pub(super) fn addresses(cluster: &Cluster) -> Result<Vec<SocketAddr>, ControlPlaneError> {
    let address = |text: &String| match text.parse() {
        Ok(address) => Ok(SocketAddr::new(address, API_PORT)),
        Err(_) => Err(ControlPlaneError::Address(text.clone())),
    };
    cluster.members.iter().map(|member| address(&member.private_ip)).collect()
}

/// Who may come in, and which machines may be nodes: workers of the cluster's VPC. A member of a control plane is no
/// node, and in another VPC another machine may have the same name and address.
pub(super) fn access(cluster: &Cluster, entries: Vec<AccessEntry>, instances: &[Instance]) -> Access {
    let there: Vec<&Instance> = instances
        .iter()
        .filter(|instance| instance.wanted != WantedInstanceState::Terminated)
        .filter(|instance| {
            instance.role == InstanceRole::Worker && Some(&instance.vpc_id) == cluster.vpc_config.vpc_id.as_ref()
        })
        .collect();
    Access {
        mode: cluster.authentication_mode,
        creator: cluster.bootstrap_cluster_creator_admin_permissions.then(|| cluster.creator.clone()),
        entries: entries.into_iter().filter(|entry| entry.cluster_id == cluster.id).collect(),
        instances: there.iter().map(|i| (i.instance_id.clone(), i.private_dns_name.clone())).collect(),
        addresses: there.iter().map(|i| (i.instance_id.clone(), vec![i.private_ip.clone()])).collect(),
    }
}
