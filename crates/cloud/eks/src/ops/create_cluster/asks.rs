//! What making a cluster asks the policies.
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelastickubernetesservice.html>

use eksile_aws::{Ask, Call, Fault, Reads};

use super::CreateCluster;
use crate::names::cluster_arn;
use crate::role::LOCAL_SERVICE;

pub(super) fn asked(request: &CreateCluster, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
    let arn = cluster_arn(call.region, &call.scope.account, &request.name);
    let ask = || keys(request, Ask::to(&*arn)).requesting(&request.tags);
    let mut asks = vec![ask()];
    if !request.tags.is_empty() {
        asks.push(ask().action("eks:TagResource"));
    }
    let service = if request.outpost_config.is_some() { LOCAL_SERVICE } else { "eks.amazonaws.com" };
    let nodes = request.compute_config.as_ref().and_then(|compute| compute.node_role_arn.as_deref());
    asks.push(eksile_iam::pass_role(call, state, &request.role_arn, service, &arn)?);
    if let Some(role) = nodes {
        asks.push(eksile_iam::pass_role(call, state, role, "ec2.amazonaws.com", &arn)?);
    }
    Ok(asks)
}

/// With EKS's own values where the request leaves something open.
fn keys(request: &CreateCluster, ask: Ask) -> Ask {
    let access = request.access_config.as_ref();
    let mode = access.and_then(|access| access.authentication_mode.as_deref()).unwrap_or("CONFIG_MAP");
    let creator = access.and_then(|access| access.bootstrap_cluster_creator_admin_permissions).unwrap_or(true);
    let vpc = &request.resources_vpc_config;
    let local = request.outpost_config.is_some();
    let support = request.upgrade_policy.as_ref().and_then(|policy| policy.support_type.as_deref());
    ask.key("eks:authenticationMode", mode)
        .key("eks:bootstrapClusterCreatorAdminPermissions", creator.to_string())
        .key("eks:bootstrapSelfManagedAddons", request.bootstrap_self_managed_addons.unwrap_or(true).to_string())
        .key("eks:endpointPublicAccess", vpc.endpoint_public_access.unwrap_or(!local).to_string())
        .key("eks:endpointPrivateAccess", vpc.endpoint_private_access.unwrap_or(local).to_string())
        .maybe("eks:kubernetesVersion", request.version.as_deref())
        .maybe("eks:supportType", support)
}
