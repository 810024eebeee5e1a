mod asks;
mod local;
mod members;
mod network;

use std::collections::BTreeMap;

use eksile_aws::{Ask, Call, Command, Fault, Reads, Shape};
use eksile_outposts::records::Outpost;
use eksile_store::Txn;

use self::local::Checked;
use self::members::{
    AccessConfigRequest, ComputeConfig, ControlPlaneScalingConfig, EncryptionConfig, KubernetesNetworkConfigRequest,
    OutpostConfigRequest, RemoteNetworkConfig, StorageConfig, Switch, UpgradePolicy, VpcConfigRequest,
};
use self::network::Networking;
use crate::fault::{in_use, invalid_parameter, limit_exceeded};
use crate::logging::Logging;
use crate::names::cluster_arn;
use crate::records::{Cluster, Creator, VpcConfig, WantedCluster};
use crate::role::Role;
use crate::shown::ClusterShown;
use crate::versions;

/// Clusters per Region (EKS service quotas).
const MOST_CLUSTERS: usize = 100;

/// <https://docs.aws.amazon.com/eks/latest/APIReference/API_CreateCluster.html>
#[derive(Debug, Clone, Shape)]
pub(super) struct CreateCluster {
    name: String,
    version: Option<String>,
    role_arn: String,
    resources_vpc_config: VpcConfigRequest,
    kubernetes_network_config: Option<KubernetesNetworkConfigRequest>,
    logging: Option<Logging>,
    client_request_token: Option<String>,
    tags: BTreeMap<String, String>,
    encryption_config: Vec<EncryptionConfig>,
    outpost_config: Option<OutpostConfigRequest>,
    access_config: Option<AccessConfigRequest>,
    bootstrap_self_managed_addons: Option<bool>,
    upgrade_policy: Option<UpgradePolicy>,
    zonal_shift_config: Option<Switch>,
    remote_network_config: Option<RemoteNetworkConfig>,
    compute_config: Option<ComputeConfig>,
    storage_config: Option<StorageConfig>,
    deletion_protection: Option<bool>,
    control_plane_scaling_config: Option<ControlPlaneScalingConfig>,
}

/// The cluster.
#[derive(Shape)]
pub(super) struct Output {
    cluster: ClusterShown,
}

impl Command for CreateCluster {
    type Output = Output;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        asks::asked(self, call, state)
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<Output, Fault> {
        let named = |fault: Fault| fault.with("clusterName", self.name.clone());
        let checked = local::check(call, &self).map_err(named)?;
        refuse_taken(call, txn, &self.name).map_err(named)?;
        // The account's root is asked nothing, and may not either.
        eksile_iam::own_role(call, &self.role_arn).map_err(named)?;
        match Role::of(Reads::of(txn), &self.role_arn)? {
            Role::Able | Role::Unprivileged => {}
            Role::Missing | Role::Distrustful => {
                return Err(named(invalid_parameter(format!(
                    "Role with arn: {}, could not be assumed because it does not exist or the trusted entity is not \
                     correct",
                    self.role_arn
                ))));
            }
        }
        if txn.record::<Outpost>(&call.scope, &checked.outpost_id)?.is_none() {
            let message = format!("The Outpost {} does not exist", checked.outpost_id);
            return Err(named(invalid_parameter(message)));
        }
        let networking = network::networking(Reads::of(txn), &call.scope, &self).map_err(named)?;
        let cluster = cluster(call, self, checked, networking);
        txn.put_record(&call.scope, &cluster)?;
        Ok(Output { cluster: ClusterShown::of(cluster, None, call.vantage.place) })
    }
}

fn refuse_taken(call: &Call<'_>, txn: &Txn<'_>, name: &str) -> Result<(), Fault> {
    let clusters = txn.records::<Cluster>(&call.scope)?;
    if clusters.iter().any(|cluster| cluster.name == name) {
        return Err(in_use(format!("Cluster already exists with name: {name}")));
    }
    if clusters.len() >= MOST_CLUSTERS {
        return Err(limit_exceeded(format!("The limit of {MOST_CLUSTERS} clusters is reached")));
    }
    Ok(())
}

fn cluster(call: &Call<'_>, request: CreateCluster, checked: Checked, networking: Networking) -> Cluster {
    let digits = call.mint.uuid().replace('-', "");
    let config = request.resources_vpc_config;
    Cluster {
        arn: cluster_arn(call.region, &call.scope.account, &request.name),
        name: request.name,
        id: call.mint.uuid(),
        version: checked.version,
        platform_version: versions::LOCAL_PLATFORM.to_owned(),
        role_arn: request.role_arn,
        vpc_config: VpcConfig {
            subnet_ids: config.subnet_ids,
            security_group_ids: config.security_group_ids,
            cluster_security_group_id: None,
            internal_security_group_id: None,
            vpc_id: networking.vpc_id,
            endpoint_public_access: false,
            endpoint_private_access: true,
            public_access_cidrs: Vec::new(),
        },
        service_ipv4_cidr: networking.service_block.to_string(),
        enabled_log_types: checked.enabled_log_types,
        authentication_mode: checked.authentication_mode,
        bootstrap_cluster_creator_admin_permissions: checked.creator_is_admin,
        creator: Creator { arn: call.caller.iam_arn().to_owned(), principal_id: call.caller.principal_id().to_owned() },
        outpost_config: Some(checked.outpost),
        site: checked.outpost_id,
        members: Vec::new(),
        endpoint_name: format!("{digits}.gr7.{}.eks.amazonaws.com", call.region),
        wanted: WantedCluster::Present,
        health: Vec::new(),
        created_at: call.now.as_second(),
        activated_at: None,
        client_request_token: request.client_request_token,
        tags: request.tags,
    }
}
