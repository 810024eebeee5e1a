//! The two security groups that the Region makes for a local cluster.

use eksile_ec2::records::{Peer, Rule, SecurityGroup};

use super::Given;
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

/// What members say to each other; not the user's to change. It opens the API to nobody else: nodes wear the cluster's
/// group, and hosts on the premises are let in by a rule that the user adds to that one (EKS user guide, "Creating a
/// local cluster on an Outpost").
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
