//! Members of `CreateCluster`'s input.

use eksile_aws::Shape;

/// `resourcesVpcConfig`.
#[derive(Debug, Clone, Default, Shape)]
pub(super) struct VpcConfigRequest {
    pub(super) subnet_ids: Vec<String>,
    pub(super) security_group_ids: Vec<String>,
    pub(super) endpoint_public_access: Option<bool>,
    pub(super) endpoint_private_access: Option<bool>,
    pub(super) public_access_cidrs: Vec<String>,
}

/// `kubernetesNetworkConfig`.
#[derive(Debug, Clone, Default, Shape)]
pub(super) struct KubernetesNetworkConfigRequest {
    pub(super) service_ipv4_cidr: Option<String>,
    pub(super) ip_family: Option<String>,
    pub(super) elastic_load_balancing: Option<Switch>,
}

/// Anything that is only switched on or off.
#[derive(Debug, Clone, Default, Shape)]
pub(super) struct Switch {
    pub(super) enabled: Option<bool>,
}

/// Envelope encryption: never of a local cluster.
#[derive(Debug, Clone, Default, Shape)]
pub(super) struct EncryptionConfig {
    resources: Vec<String>,
    provider: Option<EncryptionProvider>,
}

/// `provider`.
#[derive(Debug, Clone, Default, Shape)]
pub(super) struct EncryptionProvider {
    key_arn: Option<String>,
}

/// `computeConfig`: never of a local cluster.
#[derive(Debug, Clone, Default, Shape)]
pub(super) struct ComputeConfig {
    pub(super) enabled: Option<bool>,
    pub(super) node_pools: Vec<String>,
    pub(super) node_role_arn: Option<String>,
}

impl ComputeConfig {
    /// Whether anything is asked for.
    pub(super) fn is_on(&self) -> bool {
        self.enabled == Some(true) || !self.node_pools.is_empty() || self.node_role_arn.is_some()
    }
}

/// `outpostConfig`.
#[derive(Debug, Clone, Default, Shape)]
pub(super) struct OutpostConfigRequest {
    pub(super) outpost_arns: Vec<String>,
    pub(super) control_plane_instance_type: Option<String>,
    pub(super) control_plane_placement: Option<ControlPlanePlacement>,
    pub(super) etcd_instance_type: Option<String>,
    pub(super) etcd_placement: Option<ControlPlanePlacement>,
}

/// `controlPlanePlacement`.
#[derive(Debug, Clone, Default, Shape)]
pub(super) struct ControlPlanePlacement {
    pub(super) group_name: Option<String>,
    pub(super) spread_level: Option<String>,
}

/// `accessConfig`.
#[derive(Debug, Clone, Default, Shape)]
pub(super) struct AccessConfigRequest {
    pub(super) bootstrap_cluster_creator_admin_permissions: Option<bool>,
    pub(super) authentication_mode: Option<String>,
}

/// `upgradePolicy`.
#[derive(Debug, Clone, Default, Shape)]
pub(super) struct UpgradePolicy {
    pub(super) support_type: Option<String>,
}

/// `remoteNetworkConfig`: hybrid nodes.
#[derive(Debug, Clone, Default, Shape)]
pub(super) struct RemoteNetworkConfig {
    pub(super) remote_node_networks: Vec<Cidrs>,
    pub(super) remote_pod_networks: Vec<Cidrs>,
}

/// Blocks.
#[derive(Debug, Clone, Default, Shape)]
pub(super) struct Cidrs {
    cidrs: Vec<String>,
}

/// `storageConfig`.
#[derive(Debug, Clone, Default, Shape)]
pub(super) struct StorageConfig {
    pub(super) block_storage: Option<Switch>,
}

/// `controlPlaneScalingConfig`.
#[derive(Debug, Clone, Default, Shape)]
pub(super) struct ControlPlaneScalingConfig {
    pub(super) tier: Option<String>,
}
