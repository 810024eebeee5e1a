//! What a local cluster may be: the checks that need nothing but the request (EKS user guide, "Amazon EKS local
//! clusters on AWS Outposts", and the API's patterns). What depends on networks is found out later and shown as health.

use eksile_aws::inputs::{TagRules, merge_tags};
use eksile_aws::{Call, Fault};

use super::CreateCluster;
use super::members::{ComputeConfig, OutpostConfigRequest, Switch};
use crate::fault::invalid_parameter;
use crate::logging::LOG_TYPES;
use crate::names::{OutpostArn, Principal, is_cluster_name, is_local_cluster_name};
use crate::records::{AuthenticationMode, OutpostConfig};
use crate::versions;

/// Most custom security groups of a cluster.
const MOST_GROUPS: usize = 4;

/// A request that could be a local cluster.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) version: String,
    pub(super) outpost: OutpostConfig,
    pub(super) outpost_id: String,
    pub(super) enabled_log_types: Vec<String>,
    pub(super) authentication_mode: AuthenticationMode,
    pub(super) creator_is_admin: bool,
}

/// Checks all that can be checked without looking at records.
pub(super) fn check(call: &Call<'_>, request: &CreateCluster) -> Result<Checked, Fault> {
    if !is_cluster_name(&request.name) {
        return Err(invalid_parameter(format!(
            "The cluster name '{}' is invalid: it must match ^[0-9A-Za-z][A-Za-z0-9\\-_]* and have at most 100 characters",
            request.name
        )));
    }
    let Some(outpost) = &request.outpost_config else {
        return Err(Fault::not_implemented(
            "CreateCluster without outpostConfig (a cluster whose control plane is in the Region)",
        ));
    };
    if !is_local_cluster_name(&request.name) {
        let message = format!(
            "The cluster name '{}' is invalid: a local cluster's begins with a letter and holds letters, digits and hyphens",
            request.name
        );
        return Err(invalid_parameter(message));
    }
    let version = request.version.clone().unwrap_or_else(|| versions::DEFAULT.to_owned());
    if !versions::served(&version) {
        return Err(invalid_parameter(format!("unsupported Kubernetes version {version}")));
    }
    role_arn(call, &request.role_arn)?;
    let (outpost, outpost_id) = outpost_config(call, outpost)?;
    endpoint(request)?;
    ids(request)?;
    refuse_for_local(request)?;
    refuse_what_is_not_built(request)?;
    merge_tags(&mut request.tags.clone(), request.tags.clone(), TagRules::EKS)?;
    let access = request.access_config.clone().unwrap_or_default();
    Ok(Checked {
        version,
        outpost,
        outpost_id,
        enabled_log_types: log_types(request)?,
        authentication_mode: authentication_mode(access.authentication_mode.as_deref())?,
        creator_is_admin: access.bootstrap_cluster_creator_admin_permissions.unwrap_or(true),
    })
}

fn role_arn(call: &Call<'_>, arn: &str) -> Result<(), Fault> {
    match Principal::parse(arn) {
        Some(principal) if principal.kind == "role" && principal.account == call.scope.account => Ok(()),
        Some(principal) if principal.kind == "role" => {
            Err(invalid_parameter("Cross-account pass role is not allowed."))
        }
        _ => Err(invalid_parameter(format!("The role ARN '{arn}' is not valid"))),
    }
}

fn outpost_config(call: &Call<'_>, asked: &OutpostConfigRequest) -> Result<(OutpostConfig, String), Fault> {
    let [arn] = asked.outpost_arns.as_slice() else {
        return Err(invalid_parameter("Exactly one Outpost ARN must be specified"));
    };
    let parsed = OutpostArn::parse(arn).ok_or_else(|| invalid_parameter(format!("Invalid Outpost ARN '{arn}'")))?;
    if parsed.region != call.region || parsed.account != call.scope.account {
        return Err(invalid_parameter(format!("The Outpost '{arn}' is not of this Region and account")));
    }
    let kind = asked.control_plane_instance_type.as_deref().unwrap_or_default();
    if !kind.split_once('.').is_some_and(|(family, size)| !family.is_empty() && !size.is_empty()) {
        return Err(invalid_parameter("controlPlaneInstanceType must be an EC2 instance type"));
    }
    let placement = asked.control_plane_placement.clone().unwrap_or_default();
    if asked.etcd_instance_type.is_some() || asked.etcd_placement.is_some() || placement.spread_level.is_some() {
        let message =
            "Second-generation local clusters (etcdInstanceType, etcdPlacement, spreadLevel) are not supported";
        return Err(invalid_parameter(message));
    }
    if let Some(group) = placement.group_name {
        return Err(invalid_parameter(format!("The placement group '{group}' is unknown.")));
    }
    let config = OutpostConfig {
        outpost_arns: asked.outpost_arns.clone(),
        control_plane_instance_type: kind.to_owned(),
        placement_group_name: None,
    };
    Ok((config, parsed.outpost_id.to_owned()))
}

/// Always private, and said so: the API's own default is the opposite.
fn endpoint(request: &CreateCluster) -> Result<(), Fault> {
    let config = &request.resources_vpc_config;
    if config.endpoint_public_access.unwrap_or(true) || !config.endpoint_private_access.unwrap_or(false) {
        let message = "A local cluster's endpoint is private only: set endpointPrivateAccess to true and \
                       endpointPublicAccess to false";
        return Err(invalid_parameter(message));
    }
    if !config.public_access_cidrs.is_empty() {
        return Err(invalid_parameter("publicAccessCidrs cannot be set without public access"));
    }
    Ok(())
}

fn ids(request: &CreateCluster) -> Result<(), Fault> {
    let config = &request.resources_vpc_config;
    if config.subnet_ids.is_empty() {
        return Err(invalid_parameter("At least one subnet must be specified"));
    }
    if config.security_group_ids.len() > MOST_GROUPS {
        return Err(invalid_parameter(format!("At most {MOST_GROUPS} security groups can be specified")));
    }
    let subnets = config.subnet_ids.iter().map(|id| (id, "subnet-"));
    let groups = config.security_group_ids.iter().map(|id| (id, "sg-"));
    for (id, prefix) in subnets.chain(groups) {
        let digits = id.strip_prefix(prefix).unwrap_or_default();
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(invalid_parameter(format!("The ID '{id}' is invalid (expecting '{prefix}...')")));
        }
    }
    let mut seen = config.subnet_ids.clone();
    seen.sort();
    seen.dedup();
    if seen.len() != config.subnet_ids.len() {
        return Err(invalid_parameter("The subnets must be different ones"));
    }
    Ok(())
}

fn is_on(switch: Option<&Switch>) -> bool {
    switch.is_some_and(|switch| switch.enabled == Some(true))
}

/// What AWS does not offer for local clusters.
fn refuse_for_local(request: &CreateCluster) -> Result<(), Fault> {
    let network = request.kubernetes_network_config.as_ref();
    let family = network.and_then(|network| network.ip_family.as_deref());
    match family {
        None | Some("ipv4") => {}
        Some("ipv6") => return Err(invalid_parameter("A local cluster's ipFamily must be ipv4")),
        Some(other) => return Err(invalid_parameter(format!("The ipFamily '{other}' is invalid"))),
    }
    let storage = request.storage_config.as_ref().and_then(|storage| storage.block_storage.as_ref());
    let remote = request.remote_network_config.as_ref();
    let hybrid = remote.is_some_and(|r| !r.remote_node_networks.is_empty() || !r.remote_pod_networks.is_empty());
    let scaled = request.control_plane_scaling_config.as_ref().and_then(|config| config.tier.as_deref());
    let asked = [
        ("encryptionConfig", !request.encryption_config.is_empty()),
        ("computeConfig", request.compute_config.as_ref().is_some_and(ComputeConfig::is_on)),
        ("storageConfig", is_on(storage)),
        ("elasticLoadBalancing", is_on(network.and_then(|network| network.elastic_load_balancing.as_ref()))),
        ("remoteNetworkConfig", hybrid),
        ("zonalShiftConfig", is_on(request.zonal_shift_config.as_ref())),
        ("controlPlaneScalingConfig", scaled.is_some_and(|tier| tier != "standard")),
    ];
    match asked.iter().find(|(_, asked)| *asked) {
        Some((name, _)) => Err(invalid_parameter(format!("{name} is not supported for local clusters"))),
        None => Ok(()),
    }
}

fn refuse_what_is_not_built(request: &CreateCluster) -> Result<(), Fault> {
    let support = request.upgrade_policy.as_ref().and_then(|policy| policy.support_type.as_deref());
    match support {
        None | Some("EXTENDED") => {}
        Some("STANDARD") => return Err(Fault::not_implemented("upgradePolicy.supportType STANDARD")),
        Some(other) => return Err(invalid_parameter(format!("The supportType '{other}' is invalid"))),
    }
    if request.bootstrap_self_managed_addons == Some(false) {
        return Err(Fault::not_implemented("bootstrapSelfManagedAddons=false"));
    }
    if request.deletion_protection == Some(true) {
        return Err(Fault::not_implemented("deletionProtection"));
    }
    Ok(())
}

fn log_types(request: &CreateCluster) -> Result<Vec<String>, Fault> {
    let setups = request.logging.as_ref().map(|logging| logging.cluster_logging.as_slice()).unwrap_or_default();
    let asked = setups.iter().flat_map(|setup| &setup.types);
    if let Some(unknown) = asked.clone().find(|name| !LOG_TYPES.contains(&name.as_str())) {
        return Err(invalid_parameter(format!("The log type '{unknown}' is not valid")));
    }
    let on = |name: &str, wanted: bool| {
        let stating = setups.iter().filter(|setup| setup.enabled.unwrap_or(false) == wanted);
        stating.flat_map(|setup| &setup.types).any(|asked| asked == name)
    };
    if let Some(both) = LOG_TYPES.iter().find(|name| on(name, true) && on(name, false)) {
        return Err(invalid_parameter(format!("The log type '{both}' is both enabled and disabled")));
    }
    Ok(LOG_TYPES.iter().filter(|name| on(name, true)).map(|name| (*name).to_owned()).collect())
}

fn authentication_mode(asked: Option<&str>) -> Result<AuthenticationMode, Fault> {
    match asked {
        None | Some("CONFIG_MAP") => Ok(AuthenticationMode::ConfigMap),
        Some("API_AND_CONFIG_MAP") => Ok(AuthenticationMode::ApiAndConfigMap),
        Some("API") => Ok(AuthenticationMode::Api),
        Some(other) => Err(invalid_parameter(format!("The authenticationMode '{other}' is invalid"))),
    }
}
