use std::collections::BTreeMap;

use eksile_aws::{Place, Shape};
use jiff::Timestamp;

use super::time;
use crate::logging::{LOG_TYPES, LogSetup, Logging};
use crate::records::{AuthenticationMode, Cluster, HealthIssue, ObservedCluster, WantedCluster};

/// `Cluster` of the EKS API: what is wanted and what was seen, merged.
#[derive(Debug, Shape)]
pub(crate) struct ClusterShown {
    name: String,
    arn: String,
    created_at: Timestamp,
    version: String,
    endpoint: Option<String>,
    role_arn: String,
    resources_vpc_config: VpcConfigResponse,
    kubernetes_network_config: KubernetesNetworkConfigResponse,
    logging: Logging,
    status: String,
    certificate_authority: CertificateAuthority,
    client_request_token: Option<String>,
    platform_version: String,
    tags: BTreeMap<String, String>,
    id: Option<String>,
    health: Health,
    outpost_config: Option<OutpostConfigResponse>,
    access_config: AccessConfigResponse,
    upgrade_policy: UpgradePolicyResponse,
}

#[derive(Debug, Shape)]
struct VpcConfigResponse {
    subnet_ids: Vec<String>,
    security_group_ids: Vec<String>,
    cluster_security_group_id: Option<String>,
    vpc_id: Option<String>,
    endpoint_public_access: bool,
    endpoint_private_access: bool,
    public_access_cidrs: Vec<String>,
}

#[derive(Debug, Shape)]
struct KubernetesNetworkConfigResponse {
    service_ipv4_cidr: String,
    ip_family: String,
}

#[derive(Debug, Shape)]
struct CertificateAuthority {
    data: Option<String>,
}

#[derive(Debug, Shape)]
struct Health {
    issues: Vec<Issue>,
}

#[derive(Debug, Shape)]
struct Issue {
    code: String,
    message: String,
    resource_ids: Vec<String>,
}

#[derive(Debug, Shape)]
struct OutpostConfigResponse {
    outpost_arns: Vec<String>,
    control_plane_instance_type: String,
    control_plane_placement: Option<ControlPlanePlacementResponse>,
}

#[derive(Debug, Shape)]
struct ControlPlanePlacementResponse {
    group_name: String,
}

#[derive(Debug, Shape)]
struct AccessConfigResponse {
    bootstrap_cluster_creator_admin_permissions: bool,
    authentication_mode: String,
}

#[derive(Debug, Shape)]
struct UpgradePolicyResponse {
    support_type: String,
}

/// A local cluster never fails: it stays CREATING until what hinders it is mended, and ACTIVE from then on.
fn status(cluster: &Cluster) -> &'static str {
    match (cluster.wanted, cluster.activated_at) {
        (WantedCluster::Absent, _) => "DELETING",
        (WantedCluster::Present, Some(_)) => "ACTIVE",
        (WantedCluster::Present, None) => "CREATING",
    }
}

/// Callers on the host know the loopback listener, callers in the fabric the cluster's name.
fn endpoint(cluster: &Cluster, observed: &ObservedCluster, place: Place) -> Option<String> {
    match place {
        Place::Host => observed.loopback_port.map(|port| format!("https://127.0.0.1:{port}")),
        Place::Fabric => Some(format!("https://{}", cluster.endpoint_name)),
    }
}

impl ClusterShown {
    /// As seen from `place`.
    pub(crate) fn of(cluster: Cluster, observed: Option<ObservedCluster>, place: Place) -> Self {
        let active = observed.as_ref().filter(|_| cluster.activated_at.is_some());
        let local = cluster.outpost_config.is_some();
        let endpoint = active.and_then(|observed| endpoint(&cluster, observed, place));
        let data = active.and_then(|observed| observed.certificate_authority_data.clone());
        let seen = observed.map(|observed| observed.health).unwrap_or_default();
        Self {
            status: status(&cluster).to_owned(),
            endpoint,
            certificate_authority: CertificateAuthority { data },
            health: Health { issues: cluster.health.into_iter().chain(seen).map(Issue::from).collect() },
            id: local.then_some(cluster.id),
            name: cluster.name,
            arn: cluster.arn,
            created_at: time(cluster.created_at),
            version: cluster.version,
            role_arn: cluster.role_arn,
            resources_vpc_config: VpcConfigResponse {
                subnet_ids: cluster.vpc_config.subnet_ids,
                security_group_ids: cluster.vpc_config.security_group_ids,
                cluster_security_group_id: cluster.vpc_config.cluster_security_group_id,
                vpc_id: cluster.vpc_config.vpc_id,
                endpoint_public_access: cluster.vpc_config.endpoint_public_access,
                endpoint_private_access: cluster.vpc_config.endpoint_private_access,
                public_access_cidrs: cluster.vpc_config.public_access_cidrs,
            },
            kubernetes_network_config: KubernetesNetworkConfigResponse {
                service_ipv4_cidr: cluster.service_ipv4_cidr,
                ip_family: "ipv4".to_owned(),
            },
            logging: logging(&cluster.enabled_log_types),
            client_request_token: cluster.client_request_token,
            platform_version: cluster.platform_version,
            tags: cluster.tags,
            outpost_config: cluster.outpost_config.map(|config| OutpostConfigResponse {
                outpost_arns: config.outpost_arns,
                control_plane_instance_type: config.control_plane_instance_type,
                control_plane_placement: config
                    .placement_group_name
                    .map(|group_name| ControlPlanePlacementResponse { group_name }),
            }),
            access_config: AccessConfigResponse {
                bootstrap_cluster_creator_admin_permissions: cluster.bootstrap_cluster_creator_admin_permissions,
                authentication_mode: mode(cluster.authentication_mode).to_owned(),
            },
            upgrade_policy: UpgradePolicyResponse { support_type: "EXTENDED".to_owned() },
        }
    }
}

impl From<HealthIssue> for Issue {
    fn from(issue: HealthIssue) -> Self {
        Self { code: issue.code, message: issue.message, resource_ids: issue.resource_ids }
    }
}

fn mode(mode: AuthenticationMode) -> &'static str {
    match mode {
        AuthenticationMode::ConfigMap => "CONFIG_MAP",
        AuthenticationMode::ApiAndConfigMap => "API_AND_CONFIG_MAP",
        AuthenticationMode::Api => "API",
    }
}

/// All five types, in one group per state.
fn logging(enabled: &[String]) -> Logging {
    let group = |wanted: bool| {
        let is_wanted = |name: &&&str| enabled.iter().any(|on| on == **name) == wanted;
        let types = LOG_TYPES.iter().filter(is_wanted).map(|name| (*name).to_owned()).collect();
        LogSetup { types, enabled: Some(wanted) }
    };
    let cluster_logging = [group(true), group(false)].into_iter().filter(|setup| !setup.types.is_empty()).collect();
    Logging { cluster_logging }
}
