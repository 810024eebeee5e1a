//! What is decided for a control plane.

use eksile_eks::records::{AuthenticationMode, Cluster, Creator, VpcConfig, WantedCluster};
use eksile_site::control_plane::{Seen, Step, plan};

fn cluster(wanted: WantedCluster) -> Cluster {
    Cluster {
        name: "c".into(),
        id: "id".into(),
        arn: "arn:aws:eks:us-west-2:111122223333:cluster/c".into(),
        version: "1.33".into(),
        platform_version: "eks-local-outposts.1".into(),
        role_arn: "arn:aws:iam::111122223333:role/r".into(),
        vpc_config: VpcConfig::default(),
        service_ipv4_cidr: "10.100.0.0/16".into(),
        enabled_log_types: vec![],
        authentication_mode: AuthenticationMode::ConfigMap,
        bootstrap_cluster_creator_admin_permissions: true,
        creator: Creator { arn: "arn:aws:iam::111122223333:user/u".into(), principal_id: "AIDA".into() },
        outpost_config: None,
        site: "op-1".into(),
        members: vec![],
        endpoint_name: "x.eks.amazonaws.com".into(),
        wanted,
        health: vec![],
        created_at: 0,
        activated_at: None,
        client_request_token: None,
        tags: std::collections::BTreeMap::new(),
    }
}

#[test]
fn what_is_done_follows_from_what_is_wanted_and_seen() {
    use Step::{Forward, Remove, ReportDown, ReportGone, Start, Stop, WriteAccess};
    let there = Seen { places: true, ..Seen::default() };
    let starting = Seen { alive: true, ..there.clone() };
    let serving = Seen { authority: Some("CA".into()), ..starting };
    let present = cluster(WantedCluster::Present);
    assert_eq!(plan(&present, &Seen::default()), [], "not before its addresses exist");
    assert_eq!(plan(&present, &there), [WriteAccess, ReportDown, Start]);
    assert_eq!(plan(&present, &starting), [WriteAccess]);
    assert_eq!(plan(&present, &serving), [WriteAccess, Forward]);
    let absent = cluster(WantedCluster::Absent);
    assert_eq!(plan(&absent, &serving), [Stop, Remove, ReportGone]);
    assert_eq!(plan(&absent, &Seen::default()), [Remove, ReportGone]);
}
