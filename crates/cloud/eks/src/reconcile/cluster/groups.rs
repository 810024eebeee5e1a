//! The two security groups that the Region makes for a local cluster.

use eksile_ec2::records::{Peer, Rule, SecurityGroup, Subnet};

use super::{Given, Observation};
use crate::records::Cluster;

/// Open to every member of the group, and out to everywhere. The user may change its rules.
pub(crate) fn cluster_group(cluster: &Cluster, vpc_id: &str, given: &mut Given<'_>) -> SecurityGroup {
    let mut group = bare(cluster, vpc_id, "eks-cluster-sg", given);
    group.description = "EKS created security group applied to ENI that is attached to EKS Control Plane master \
                         nodes, as well as any managed workloads."
        .to_owned();
    group.tags.insert("aws:eks:cluster-name".to_owned(), cluster.name.clone());
    group
}

/// What members say to each other, and the API for the VPC and the premises; not the user's to change.
pub(crate) fn internal_group(cluster: &Cluster, vpc_id: &str, given: &mut Given<'_>) -> SecurityGroup {
    let mut group = bare(cluster, vpc_id, "eks-local-internal-do-not-use-or-edit", given);
    group.description = "EKS created security group for communication between control plane instances.".to_owned();
    group
}

fn bare(cluster: &Cluster, vpc_id: &str, stem: &str, given: &mut Given<'_>) -> SecurityGroup {
    let group_id = given.id("sg");
    let digits = group_id.get(group_id.len().saturating_sub(10)..).unwrap_or_default();
    let group_name = format!("{stem}-{}-{digits}", cluster.name);
    let tags = [
        ("Name".to_owned(), group_name.clone()),
        (format!("kubernetes.io/cluster/{}", cluster.name), "owned".to_owned()),
        ("eks-local:controlplane-name".to_owned(), cluster.name.clone()),
    ];
    SecurityGroup {
        ingress: vec![all_traffic(Peer::Group(group_id.clone()), given)],
        egress: vec![all_traffic(Peer::Cidr("0.0.0.0/0".to_owned()), given)],
        group_id,
        group_name,
        description: String::new(),
        vpc_id: vpc_id.to_owned(),
        tags: tags.into(),
    }
}

fn all_traffic(peer: Peer, given: &mut Given<'_>) -> Rule {
    let rule_id = given.id("sgr");
    Rule { rule_id, ip_protocol: "-1".to_owned(), from_port: None, to_port: None, peer, description: None }
}

/// The internal group with its rules for the API as they should be now: the VPC's block, and the blocks that the
/// subnets' local-gateway routes lead to. `None` when nothing changes.
pub(crate) fn with_api_rules(
    seen: &Observation,
    group: &SecurityGroup,
    subnets: &[&Subnet],
    given: &mut Given<'_>,
) -> Option<SecurityGroup> {
    let mut wanted: Vec<String> =
        seen.network.vpcs.get(&group.vpc_id).map(|vpc| vpc.cidr_block.clone()).into_iter().collect();
    wanted.extend(subnets.iter().flat_map(|subnet| seen.network.on_premises_blocks(subnet)));
    wanted.sort();
    wanted.dedup();
    let block_of = |rule: &Rule| match &rule.peer {
        Peer::Cidr(block) if rule.from_port == Some(443) => Some(block.clone()),
        _ => None,
    };
    let mut rules = group.ingress.clone();
    rules.retain(|rule| block_of(rule).is_none_or(|block| wanted.contains(&block)));
    for block in wanted {
        if !rules.iter().any(|rule| block_of(rule).as_ref() == Some(&block)) {
            rules.push(api_from(block, given));
        }
    }
    (rules != group.ingress).then(|| SecurityGroup { ingress: rules, ..group.clone() })
}

fn api_from(block: String, given: &mut Given<'_>) -> Rule {
    Rule {
        rule_id: given.id("sgr"),
        ip_protocol: "tcp".to_owned(),
        from_port: Some(443),
        to_port: Some(443),
        peer: Peer::Cidr(block),
        description: Some("Kubernetes API".to_owned()),
    }
}
