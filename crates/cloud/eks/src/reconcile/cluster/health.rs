//! What the Region finds wrong with a local cluster: codes, messages and resource ids of the EKS user guide's
//! "Troubleshooting local clusters on AWS Outposts".

use eksile_ec2::instance_types;
use eksile_ec2::records::{Subnet, Vpc};

use super::{Observation, Role};
use crate::records::{Cluster, HealthIssue, OutpostConfig};

/// Members of a local cluster's control plane.
pub(crate) const MEMBERS: usize = 3;

/// All that stands in the way, in the order in which it would be met.
pub(crate) fn issues(seen: &Observation) -> Vec<HealthIssue> {
    let cluster = &seen.cluster;
    let Some(wanted) = &cluster.outpost_config else { return Vec::new() };
    let subnets = match subnets(seen) {
        Ok(subnets) => subnets,
        Err(issue) => return vec![issue],
    };
    let mut issues = on_the_outpost(&subnets, wanted);
    issues.extend(subnets.first().and_then(|subnet| names_resolve(seen, subnet)));
    issues.extend(groups_exist(seen));
    issues.extend(type_offered(seen, wanted));
    issues.extend(role_allows(seen));
    if cluster.members.is_empty() {
        issues.extend(addresses_free(seen, &subnets));
        issues.extend(slots_free(seen, wanted, MEMBERS));
    } else {
        issues.extend(members_run(seen, wanted));
        issues.extend(subnets_have_way_out(seen, &subnets));
    }
    issues
}

fn issue(code: &str, message: String, resource_ids: Vec<String>) -> HealthIssue {
    HealthIssue { code: code.to_owned(), message, resource_ids }
}

/// The cluster's subnets, or why they are none.
fn subnets(seen: &Observation) -> Result<Vec<&Subnet>, HealthIssue> {
    let ids = &seen.cluster.vpc_config.subnet_ids;
    let mut found = Vec::new();
    for id in ids {
        let Some(subnet) = seen.network.subnets.get(id) else {
            return Err(issue("ResourceNotFound", format!("The subnet ID '{id}' does not exist"), ids.clone()));
        };
        found.push(subnet);
    }
    if found.windows(2).any(|pair| pair[0].vpc_id != pair[1].vpc_id) {
        let message = "Subnets specified must belong to the same VPC".to_owned();
        return Err(issue("ConfigurationConflict", message, ids.clone()));
    }
    Ok(found)
}

fn on_the_outpost(subnets: &[&Subnet], wanted: &OutpostConfig) -> Vec<HealthIssue> {
    let expected = wanted.outpost_arns.first();
    let misplaced = subnets.iter().filter(|subnet| subnet.outpost_arn.as_ref() != expected);
    let worded = misplaced.map(|subnet| {
        let (id, arn) = (&subnet.subnet_id, expected.map_or("", String::as_str));
        let message = match &subnet.outpost_arn {
            Some(other) => format!("Subnet {id} expected to be in Outpost {arn}, but is in Outpost {other}"),
            None => format!("Subnet {id} is not part of any Outpost"),
        };
        issue("ConfigurationConflict", message, vec![id.clone()])
    });
    worded.collect()
}

/// AWS would have the cluster made anew; switching the attributes on heals it here.
fn names_resolve(seen: &Observation, subnet: &Subnet) -> Option<HealthIssue> {
    let vpc: &Vpc = seen.network.vpcs.get(&subnet.vpc_id)?;
    let lacking = [("enableDnsSupport", vpc.enable_dns_support), ("enableDnsHostnames", vpc.enable_dns_hostnames)];
    let off: Vec<_> = lacking.iter().filter(|(_, on)| !on).map(|(name, _)| *name).collect();
    let message = || format!("VPC {} must have {} switched on", vpc.vpc_id, off.join(" and "));
    (!off.is_empty()).then(|| issue("ConfigurationConflict", message(), vec![vpc.vpc_id.clone()]))
}

fn groups_exist(seen: &Observation) -> Option<HealthIssue> {
    let asked = &seen.cluster.vpc_config.security_group_ids;
    let missing = asked.iter().find(|id| !seen.network.security_groups.contains_key(*id))?;
    let message = format!("The security group '{missing}' does not exist");
    Some(issue("ResourceNotFound", message, asked.clone()))
}

fn type_offered(seen: &Observation, wanted: &OutpostConfig) -> Option<HealthIssue> {
    let name = &wanted.control_plane_instance_type;
    let offered = seen.outpost.as_ref().is_some_and(|outpost| outpost.capacity.contains_key(name));
    let arn = wanted.outpost_arns.first().map_or("", String::as_str);
    let message = || format!("Instance type {name} is not supported in Outpost {arn}");
    let known = offered && instance_types::find(name).is_some();
    (!known).then(|| issue("ConfigurationConflict", message(), vec![seen.cluster.arn.clone()]))
}

fn role_allows(seen: &Observation) -> Option<HealthIssue> {
    let arn = &seen.cluster.role_arn;
    let (code, message) = match seen.role {
        Role::Able => return None,
        Role::Missing => ("IamRoleNotFound", format!("The cluster role {arn} does not exist")),
        Role::Distrustful => ("AccessDenied", format!("ec2.amazonaws.com is not allowed to assume {arn}")),
        Role::Unprivileged => {
            ("AccessDenied", format!("InvalidPermissions: {arn} lacks the policy AmazonEKSLocalOutpostClusterPolicy"))
        }
    };
    Some(issue(code, message, vec![arn.clone()]))
}

/// One subnet needs three free addresses, two need two each, three or more need one each.
fn addresses_free(seen: &Observation, subnets: &[&Subnet]) -> Vec<HealthIssue> {
    let needed = MEMBERS.div_ceil(subnets.len().clamp(1, MEMBERS)) as u64;
    let free = |subnet: &Subnet| seen.network.space(&subnet.subnet_id).map_or(0, |space| space.free());
    let full = subnets.iter().take(MEMBERS).filter(|subnet| free(subnet) < needed);
    let worded = full.map(|subnet| {
        let message = format!("Subnet {} does not have {needed} free addresses", subnet.subnet_id);
        issue("ResourceLimitExceeded", message, vec![subnet.subnet_id.clone()])
    });
    worded.collect()
}

/// Whether the Outpost has room for so many more members.
pub(crate) fn slots_free(seen: &Observation, wanted: &OutpostConfig, needed: usize) -> Option<HealthIssue> {
    let outpost = seen.outpost.as_ref()?;
    let name = &wanted.control_plane_instance_type;
    let all = *outpost.capacity.get(name)?;
    let free = all.saturating_sub(seen.network.slots_taken(&outpost.outpost_id, name)) as usize;
    let arn = &outpost.outpost_arn;
    let message =
        || format!("There is not enough capacity on the Outpost {arn} to launch or start the instance ({name})");
    (free < needed).then(|| issue("ResourceLimitExceeded", message(), vec![seen.cluster.arn.clone()]))
}

fn members_run(seen: &Observation, wanted: &OutpostConfig) -> Vec<HealthIssue> {
    let lost = seen.cluster.members.iter().filter(|member| seen.is_lost(member)).count();
    let ready = seen.cluster.members.iter().filter(|member| seen.is_replaceable(member)).count();
    let message = || "EC2 instance state \"Terminated\" is unexpected".to_owned();
    let unexpected = (lost > 0).then(|| issue("InternalFailure", message(), vec![seen.cluster.arn.clone()]));
    let room = if ready > 0 { slots_free(seen, wanted, ready) } else { None };
    unexpected.into_iter().chain(room).collect()
}

fn subnets_have_way_out(seen: &Observation, subnets: &[&Subnet]) -> Option<HealthIssue> {
    let closed: Vec<_> = subnets.iter().filter(|subnet| !seen.network.has_way_out(subnet)).collect();
    let instances = instance_ids(&seen.cluster);
    let names = closed.iter().map(|subnet| subnet.subnet_id.as_str()).collect::<Vec<_>>().join(", ");
    let message = || {
        format!(
            "Control plane instances cannot be reached through Systems Manager. Verify the network: {names} has no \
             default route to a NAT gateway that leads to an internet gateway"
        )
    };
    (!closed.is_empty()).then(|| issue("ClusterUnreachable", message(), instances))
}

fn instance_ids(cluster: &Cluster) -> Vec<String> {
    cluster.members.iter().map(|member| member.instance_id.clone()).collect()
}
