use std::collections::BTreeMap;

use eksile_store::Record;
use serde::{Deserialize, Serialize};

/// A cluster, as the Region wants it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cluster {
    /// Unique in its Region and account; the record's id.
    pub name: String,
    /// A UUID; shown to callers for local clusters only, and what their tokens are bound to.
    pub id: String,
    /// `arn:aws:eks:R:A:cluster/N`.
    pub arn: String,
    /// Kubernetes minor, such as `1.33`.
    pub version: String,
    /// `eks-local-outposts.N` or `eks.N`.
    pub platform_version: String,
    /// The cluster role.
    pub role_arn: String,
    /// Networking as asked, and what the Region added.
    pub vpc_config: VpcConfig,
    /// Service block; the first address is the API's, the tenth the DNS service's.
    pub service_ipv4_cidr: String,
    /// Log types switched on, out of api, audit, authenticator, controllerManager, scheduler.
    pub enabled_log_types: Vec<String>,
    /// Where principals are mapped.
    pub authentication_mode: AuthenticationMode,
    /// Whether the creator is an administrator.
    pub bootstrap_cluster_creator_admin_permissions: bool,
    /// Who made it. Permanent, and never shown.
    pub creator: Creator,
    /// Set for a local cluster.
    pub outpost_config: Option<OutpostConfig>,
    /// The site that hosts the control plane.
    pub site: String,
    /// The control plane's instances, once the Region has placed them; fixed addresses for the cluster's life.
    pub members: Vec<ControlPlaneMember>,
    /// `HEX.SHARD.REGION.eks.amazonaws.com`: the endpoint's name inside the fabric.
    pub endpoint_name: String,
    /// What should become of it.
    pub wanted: WantedCluster,
    /// What the Region finds wrong (network, role, capacity).
    pub health: Vec<HealthIssue>,
    /// Seconds since the epoch.
    pub created_at: i64,
    /// When the Region first saw the control plane ready with nothing in its way; ACTIVE from then on.
    #[serde(default)]
    pub activated_at: Option<i64>,
    /// Idempotency token of the call.
    pub client_request_token: Option<String>,
    /// User tags.
    pub tags: BTreeMap<String, String>,
}

/// `resourcesVpcConfig`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct VpcConfig {
    /// As asked.
    pub subnet_ids: Vec<String>,
    /// As asked.
    pub security_group_ids: Vec<String>,
    /// `eks-cluster-sg-…`, made by the Region.
    pub cluster_security_group_id: Option<String>,
    /// `eks-local-internal-do-not-use-or-edit-…`, for local clusters.
    pub internal_security_group_id: Option<String>,
    /// The subnets' VPC.
    pub vpc_id: Option<String>,
    /// As asked, or the API's default (true).
    pub endpoint_public_access: bool,
    /// As asked, or the API's default (false).
    pub endpoint_private_access: bool,
    /// Who may reach the public endpoint.
    pub public_access_cidrs: Vec<String>,
}

/// Who may map principals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AuthenticationMode {
    /// Only the aws-auth ConfigMap.
    ConfigMap,
    /// Access entries first, then the ConfigMap.
    ApiAndConfigMap,
    /// Only access entries.
    Api,
}

/// The principal that made a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Creator {
    /// Canonical IAM ARN.
    pub arn: String,
    /// Unique id (`AIDA…`, `AROA…`, or the account for root).
    pub principal_id: String,
}

/// `outpostConfig`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutpostConfig {
    /// Exactly one.
    pub outpost_arns: Vec<String>,
    /// One of the Outpost's types.
    pub control_plane_instance_type: String,
    /// Placement group.
    pub placement_group_name: Option<String>,
}

/// One of the three instances of a local cluster's control plane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlPlaneMember {
    /// `i-…`.
    pub instance_id: String,
    /// `eni-…`.
    pub network_interface_id: String,
    /// Fixed for the cluster's life.
    pub private_ip: String,
}

/// What should become of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WantedCluster {
    /// Serve.
    Present,
    /// Be taken down; the record goes when the site reports it gone.
    Absent,
}

/// `cluster.health.issues[]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthIssue {
    /// Such as `ConfigurationConflict`.
    pub code: String,
    /// Why, in words.
    pub message: String,
    /// What it is about.
    pub resource_ids: Vec<String>,
}

impl Record for Cluster {
    const SERVICE: &'static str = "eks";
    const KIND: &'static str = "cluster";

    #[expect(clippy::misnamed_getters, reason = "callers name a cluster, so its name is the record's id")]
    fn id(&self) -> &str {
        &self.name
    }
}

/// What the hosting site saw of a cluster's control plane. Keyed by the cluster's id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObservedCluster {
    /// The cluster's id.
    pub cluster_id: String,
    /// Whether the API answered `/readyz` on its fixed addresses.
    pub ready: bool,
    /// The cluster's CA, PEM, in base64.
    pub certificate_authority_data: Option<String>,
    /// Port of the loopback listener for callers on the host.
    pub loopback_port: Option<u16>,
    /// What the site finds wrong.
    pub health: Vec<HealthIssue>,
    /// The control plane was taken down as wanted.
    pub gone: bool,
}

impl Record for ObservedCluster {
    const SERVICE: &'static str = "observed";
    const KIND: &'static str = "cluster";

    fn id(&self) -> &str {
        &self.cluster_id
    }
}
