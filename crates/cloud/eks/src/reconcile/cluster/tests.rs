//! The plan, record by record, against golden files; and what hinders it, case by case.

use std::collections::BTreeMap;

use eksile_ec2::network::Network;
use eksile_ec2::records::{
    Association, InstanceState, InternetGateway, NatGateway, NatGatewayState, ObservedInstance, Peer, Route,
    RouteTable, RouteTarget, Subnet, Tags, Vpc,
};
use eksile_outposts::records::Outpost;

use super::*;
use crate::records::{AuthenticationMode, Creator, ObservedCluster, OutpostConfig, VpcConfig};

const OUTPOST: &str = "arn:aws:outposts:us-west-2:111122223333:outpost/op-1";

fn subnet(id: &str, block: &str, outpost_arn: Option<&str>) -> Subnet {
    Subnet {
        subnet_id: id.to_owned(),
        vpc_id: "vpc-1".to_owned(),
        cidr_block: block.to_owned(),
        availability_zone: "us-west-2a".to_owned(),
        availability_zone_id: "usw2-az1".to_owned(),
        outpost_arn: outpost_arn.map(str::to_owned),
        map_public_ip_on_launch: false,
        default_for_az: false,
        tags: Tags::new(),
    }
}

fn table(id: &str, subnet_id: &str, targets: &[(&str, RouteTarget)]) -> RouteTable {
    let route = |(block, target): &(&str, RouteTarget)| Route {
        destination_cidr_block: (*block).to_owned(),
        target: target.clone(),
    };
    RouteTable {
        route_table_id: id.to_owned(),
        vpc_id: "vpc-1".to_owned(),
        main_association_id: None,
        associations: vec![Association { association_id: format!("{id}-a"), subnet_id: subnet_id.to_owned() }],
        routes: targets.iter().map(route).collect(),
        tags: Tags::new(),
    }
}

fn by_id<R: eksile_store::Record>(records: Vec<R>) -> BTreeMap<String, R> {
    records.into_iter().map(|record| (record.id().to_owned(), record)).collect()
}

fn network() -> Network {
    let vpc = Vpc {
        vpc_id: "vpc-1".to_owned(),
        cidr_block: "10.0.0.0/16".to_owned(),
        dhcp_options_id: "dopt-1".to_owned(),
        is_default: false,
        enable_dns_support: true,
        enable_dns_hostnames: true,
        tags: Tags::new(),
    };
    let gateway = InternetGateway {
        internet_gateway_id: "igw-1".to_owned(),
        vpc_id: Some("vpc-1".to_owned()),
        tags: Tags::new(),
    };
    let nat = NatGateway {
        nat_gateway_id: "nat-1".to_owned(),
        subnet_id: "subnet-public".to_owned(),
        vpc_id: "vpc-1".to_owned(),
        allocation_id: "eipalloc-1".to_owned(),
        network_interface_id: "eni-nat".to_owned(),
        state: NatGatewayState::Available,
        create_time: 0,
        delete_time: None,
        tags: Tags::new(),
    };
    let out = ("0.0.0.0/0", RouteTarget::NatGateway("nat-1".to_owned()));
    let premises = ("172.16.0.0/12", RouteTarget::LocalGateway("lgw-1".to_owned()));
    Network {
        vpcs: by_id(vec![vpc]),
        subnets: by_id(vec![
            subnet("subnet-public", "10.0.0.0/24", None),
            subnet("subnet-a", "10.0.1.0/24", Some(OUTPOST)),
            subnet("subnet-b", "10.0.2.0/28", Some(OUTPOST)),
        ]),
        route_tables: by_id(vec![
            table("rtb-public", "subnet-public", &[("0.0.0.0/0", RouteTarget::InternetGateway("igw-1".to_owned()))]),
            table("rtb-a", "subnet-a", &[out.clone(), premises]),
            table("rtb-b", "subnet-b", &[out]),
        ]),
        internet_gateways: by_id(vec![gateway]),
        nat_gateways: by_id(vec![nat]),
        ..Network::default()
    }
}

fn outpost() -> Outpost {
    Outpost {
        outpost_id: "op-1".to_owned(),
        outpost_arn: OUTPOST.to_owned(),
        owner_id: "111122223333".to_owned(),
        site_id: "os-1".to_owned(),
        name: String::new(),
        description: String::new(),
        availability_zone: "us-west-2a".to_owned(),
        availability_zone_id: "usw2-az1".to_owned(),
        supported_hardware_type: "RACK".to_owned(),
        capacity: [("m5.large".to_owned(), 3)].into(),
        local_gateway_id: "lgw-1".to_owned(),
        tags: BTreeMap::new(),
    }
}

fn cluster() -> Cluster {
    Cluster {
        name: "c".to_owned(),
        id: "id-1".to_owned(),
        arn: "arn:aws:eks:us-west-2:111122223333:cluster/c".to_owned(),
        version: "1.33".to_owned(),
        platform_version: "eks-local-outposts.1".to_owned(),
        role_arn: "arn:aws:iam::111122223333:role/r".to_owned(),
        vpc_config: VpcConfig {
            subnet_ids: vec!["subnet-a".to_owned(), "subnet-b".to_owned()],
            endpoint_private_access: true,
            ..VpcConfig::default()
        },
        service_ipv4_cidr: "172.20.0.0/16".to_owned(),
        enabled_log_types: Vec::new(),
        authentication_mode: AuthenticationMode::ConfigMap,
        bootstrap_cluster_creator_admin_permissions: true,
        creator: Creator { arn: String::new(), principal_id: String::new() },
        outpost_config: Some(OutpostConfig {
            outpost_arns: vec![OUTPOST.to_owned()],
            control_plane_instance_type: "m5.large".to_owned(),
            placement_group_name: None,
        }),
        site: "op-1".to_owned(),
        members: Vec::new(),
        endpoint_name: String::new(),
        wanted: WantedCluster::Present,
        health: Vec::new(),
        created_at: 100,
        activated_at: None,
        client_request_token: None,
        tags: BTreeMap::new(),
    }
}

fn fresh() -> Observation {
    Observation {
        cluster: cluster(),
        network: network(),
        outpost: Some(outpost()),
        role: Role::Able,
        observed: None,
        access_entries: vec!["c/arn".to_owned()],
    }
}

fn planned(seen: &Observation) -> Vec<Action> {
    let mut count = 0;
    let mut ids = |prefix: &str| {
        count += 1;
        format!("{prefix}-{count:017}")
    };
    plan(seen, &mut Given { region: "us-west-2", now: 1000, ids: &mut ids })
}

/// The world after a plan was carried out.
fn after(mut seen: Observation, actions: &[Action]) -> Observation {
    for action in actions.iter().cloned() {
        let network = &mut seen.network;
        match action {
            Action::PutGroup(group) => drop(network.security_groups.insert(group.group_id.clone(), group)),
            Action::PutInterface(i) => drop(network.interfaces.insert(i.network_interface_id.clone(), i)),
            Action::PutInstance(instance) => drop(network.instances.insert(instance.instance_id.clone(), *instance)),
            Action::PutCluster(cluster) => seen.cluster = *cluster,
            Action::DeleteGroup(id) => drop(network.security_groups.remove(&id)),
            Action::DeleteInterface(id) => drop(network.interfaces.remove(&id)),
            Action::DeleteAccessEntry(_) | Action::DeleteCluster(_) => {}
        }
    }
    seen
}

fn placed() -> Observation {
    let seen = fresh();
    let actions = planned(&seen);
    after(seen, &actions)
}

fn observed(ready: bool, gone: bool) -> Option<ObservedCluster> {
    Some(ObservedCluster {
        cluster_id: "id-1".to_owned(),
        ready,
        certificate_authority_data: None,
        loopback_port: None,
        health: Vec::new(),
        gone,
    })
}

fn codes(seen: &Observation) -> Vec<(String, Vec<String>)> {
    let put = planned(seen).into_iter().find_map(|action| match action {
        Action::PutCluster(cluster) => Some(cluster.health),
        _ => None,
    });
    put.unwrap_or_default().into_iter().map(|issue| (issue.code, issue.resource_ids)).collect()
}

/// One code about one thing.
fn one(code: &str, resource: &str) -> Vec<(String, Vec<String>)> {
    vec![(code.to_owned(), vec![resource.to_owned()])]
}

fn golden(name: &str, actions: &[Action]) {
    insta::with_settings!({ snapshot_path => "goldens", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_json_snapshot!(name, actions);
    });
}

#[test]
fn placing() {
    golden("placing", &planned(&fresh()));
}

#[test]
fn what_is_placed_stays() {
    let seen = placed();
    assert_eq!(planned(&seen), []);
    let members: Vec<_> = seen.cluster.members.iter().map(|member| member.private_ip.as_str()).collect();
    assert_eq!(members, ["10.0.1.4", "10.0.2.4", "10.0.1.5"], "round robin");
}

#[test]
fn active_once_ready_with_nothing_in_the_way() {
    let mut seen = placed();
    seen.observed = observed(false, false);
    assert_eq!(planned(&seen), []);
    seen.observed = observed(true, false);
    let actions = planned(&seen);
    let seen = after(seen, &actions);
    assert_eq!(seen.cluster.activated_at, Some(1000));
    assert_eq!(planned(&seen), []);

    let mut hindered = placed();
    hindered.observed = observed(true, false);
    hindered.network.nat_gateways.clear();
    let actions = planned(&hindered);
    let hindered = after(hindered, &actions);
    assert_eq!((hindered.cluster.activated_at, hindered.cluster.health.len()), (None, 1));
}

#[test]
fn replacing_waits_until_the_lost_one_is_seen_terminated() {
    let mut seen = placed();
    let lost = seen.cluster.members[1].clone();
    if let Some(instance) = seen.network.instances.get_mut(&lost.instance_id) {
        instance.wanted = WantedInstanceState::Terminated;
    }
    assert_eq!(codes(&seen), one("InternalFailure", &seen.cluster.arn));
    assert!(planned(&seen).iter().all(|action| matches!(action, Action::PutCluster(_))));
    let instance_id = lost.instance_id.clone();
    let ended = ObservedInstance { instance_id, state: InstanceState::Terminated, reason: None, since: 900 };
    seen.network.observed.insert(lost.instance_id.clone(), ended);
    let actions = planned(&seen);
    golden("replacing", &actions);
    let seen = after(seen, &actions);
    assert_eq!(seen.cluster.members[1].private_ip, lost.private_ip);
    assert_ne!(seen.cluster.members[1].instance_id, lost.instance_id);
    assert_eq!(codes(&seen), []);
}

#[test]
fn deleting_waits_for_the_site() {
    let mut seen = placed();
    seen.cluster.wanted = WantedCluster::Absent;
    seen.observed = observed(false, false);
    assert_eq!(planned(&seen), []);
    seen.observed = observed(false, true);
    golden("deleting", &planned(&seen));
    let mut never_placed = fresh();
    never_placed.cluster.wanted = WantedCluster::Absent;
    let gone = [Action::DeleteAccessEntry("c/arn".to_owned()), Action::DeleteCluster("c".to_owned())];
    assert_eq!(planned(&never_placed), gone);
}

#[test]
fn the_groups_let_in_nobody_but_their_members() {
    let seen = placed();
    let groups = &seen.network.security_groups;
    assert_eq!(groups.len(), 2);
    for (id, group) in groups {
        let peers: Vec<_> = group.ingress.iter().map(|rule| rule.peer.clone()).collect();
        assert_eq!(peers, [Peer::Group(id.clone())]);
    }
}

#[test]
fn what_hinders_a_cluster() {
    type Change = fn(&mut Observation);
    let arn = cluster().arn;
    let role = cluster().role_arn;
    let cases: [(&str, &str, Change); 11] = [
        ("ConfigurationConflict", "vpc-1", |o| o.network.vpcs.get_mut("vpc-1").unwrap().enable_dns_support = false),
        ("ConfigurationConflict", "vpc-1", |o| o.network.vpcs.get_mut("vpc-1").unwrap().enable_dns_hostnames = false),
        ("ConfigurationConflict", "subnet-b", |o| o.network.subnets.get_mut("subnet-b").unwrap().outpost_arn = None),
        ("ConfigurationConflict", "subnet-b", |o| {
            o.network.subnets.get_mut("subnet-b").unwrap().outpost_arn = Some("another".to_owned());
        }),
        ("ConfigurationConflict", &arn, |o| o.outpost.as_mut().unwrap().capacity.clear()),
        ("ResourceLimitExceeded", &arn, |o| {
            o.outpost.as_mut().unwrap().capacity.insert("m5.large".to_owned(), 2);
        }),
        ("ResourceLimitExceeded", "subnet-b", |o| {
            o.network.subnets.get_mut("subnet-b").unwrap().cidr_block = "10.0.2.0/30".to_owned();
        }),
        ("ResourceNotFound", "sg-1", |o| o.cluster.vpc_config.security_group_ids.push("sg-1".to_owned())),
        ("IamRoleNotFound", &role, |o| o.role = Role::Missing),
        ("AccessDenied", &role, |o| o.role = Role::Distrustful),
        ("AccessDenied", &role, |o| o.role = Role::Unprivileged),
    ];
    for (number, (code, resource, change)) in cases.into_iter().enumerate() {
        let mut seen = fresh();
        change(&mut seen);
        assert_eq!(codes(&seen), one(code, resource), "case {number}");
        assert_eq!(planned(&seen).len(), 1, "nothing is placed: case {number}");
    }
    let mut gone = fresh();
    gone.network.subnets.remove("subnet-b");
    let both = gone.cluster.vpc_config.subnet_ids.clone();
    assert_eq!(codes(&gone), [("ResourceNotFound".to_owned(), both.clone())]);
    let mut apart = fresh();
    apart.network.subnets.get_mut("subnet-b").unwrap().vpc_id = "vpc-2".to_owned();
    assert_eq!(codes(&apart), [("ConfigurationConflict".to_owned(), both)]);
}

/// Neither a cluster's record that cannot be read nor an account with one keeps the clusters of others.
#[tokio::test]
async fn clusters_are_looked_at_whatever_becomes_of_others() {
    let (store, clock) = (eksile_store::Store::in_memory(), eksile_base::Clock::system());
    let scopes = ["1", "2", "3"].map(|account| eksile_store::Scope::new(account, "us-west-2"));
    let [unreadable, hindered, last] = &scopes;
    let seed = store.write(|txn| {
        txn.put(&unreadable.key::<Cluster>("c"), "not a record");
        txn.put(&hindered.key::<Subnet>("subnet-1"), "not a record");
        for scope in [hindered, last] {
            txn.put_record(scope, &Cluster { wanted: WantedCluster::Absent, ..cluster() })?;
        }
        Ok::<_, eksile_store::RecordError>(())
    });
    seed.await.unwrap();
    let told = crate::reconcile::pass(&store, &clock).await;
    let there = |scope| store.view().record::<Cluster>(scope, "c").unwrap().is_some();
    assert!(!there(last) && there(hindered));
    assert!(told.unwrap_err().to_string().contains("/1/"), "the first that cannot be read is told");
}
