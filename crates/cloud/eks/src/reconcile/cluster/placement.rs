//! The three members of a local cluster's control plane: where they go, and how a lost one is replaced.

use std::net::Ipv4Addr;

use eksile_ec2::images;
use eksile_ec2::private_names::private_dns_name;
use eksile_ec2::records::{
    Attachment, Instance, InstanceRole, MetadataOptions, NetworkInterface, Subnet, Tags, WantedInstanceState,
};

use super::health::MEMBERS;
use super::{Action, Given, Observation, groups};
use crate::records::{Cluster, ControlPlaneMember};

/// Places the members round robin over the subnets. Called when nothing stands in the way.
pub(crate) fn place(seen: &Observation, given: &mut Given<'_>) -> (Cluster, Vec<Action>) {
    let mut cluster = seen.cluster.clone();
    let mut actions = Vec::new();
    let subnets = seen.subnets();
    let Some(first) = subnets.first() else { return (cluster, actions) };
    let group = groups::cluster_group(&cluster, &first.vpc_id, given);
    let internal = groups::internal_group(&cluster, &first.vpc_id, given);
    cluster.vpc_config.vpc_id = Some(first.vpc_id.clone());
    cluster.vpc_config.cluster_security_group_id = Some(group.group_id.clone());
    cluster.vpc_config.internal_security_group_id = Some(internal.group_id.clone());
    actions.extend([Action::PutGroup(group), Action::PutGroup(internal)]);

    for (number, (subnet, address)) in addresses(seen, &subnets).into_iter().enumerate() {
        let interface = interface(&cluster, subnet, address, given);
        let (instance, interface) = launch(&cluster, subnet, interface, number + 1, given);
        cluster.members.push(ControlPlaneMember {
            instance_id: instance.instance_id.clone(),
            network_interface_id: interface.network_interface_id.clone(),
            private_ip: interface.private_ip.clone(),
        });
        actions.extend([Action::PutInterface(interface), Action::PutInstance(Box::new(instance))]);
    }
    (cluster, actions)
}

/// Three addresses, round robin; a subnet that is full (beyond the third) is passed over.
fn addresses<'a>(seen: &Observation, subnets: &[&'a Subnet]) -> Vec<(&'a Subnet, Ipv4Addr)> {
    let mut spaces: Vec<_> =
        subnets.iter().filter_map(|subnet| Some((*subnet, seen.network.space(&subnet.subnet_id)?))).collect();
    let mut taken = Vec::new();
    for turn in 0..MEMBERS {
        let start = turn % spaces.len().max(1);
        let (before, from) = spaces.split_at_mut(start);
        let next = from.iter_mut().chain(before).find_map(|(subnet, space)| Some((*subnet, space.take()?)));
        taken.extend(next);
    }
    taken
}

fn interface(cluster: &Cluster, subnet: &Subnet, address: Ipv4Addr, given: &mut Given<'_>) -> NetworkInterface {
    let network_interface_id = given.id("eni");
    let config = &cluster.vpc_config;
    let made = [&config.cluster_security_group_id, &config.internal_security_group_id];
    let groups = made.into_iter().flatten().chain(&config.security_group_ids).cloned();
    NetworkInterface {
        mac_address: NetworkInterface::mac_address_of(&network_interface_id),
        network_interface_id,
        subnet_id: subnet.subnet_id.clone(),
        vpc_id: subnet.vpc_id.clone(),
        private_ip: address.to_string(),
        secondary_private_ips: Vec::new(),
        groups: groups.collect(),
        description: format!("Amazon EKS {}", cluster.name),
        interface_type: "interface".to_owned(),
        requester_managed: true,
        source_dest_check: true,
        attachment: None,
        tags: tags(cluster),
    }
}

/// A new instance behind an interface, whose address stays the member's.
fn launch(
    cluster: &Cluster,
    subnet: &Subnet,
    interface: NetworkInterface,
    number: usize,
    given: &mut Given<'_>,
) -> (Instance, NetworkInterface) {
    let instance_id = given.id("i");
    let mut tags = tags(cluster);
    tags.insert("Name".to_owned(), format!("{}-control-plane-id{number}", cluster.name));
    let address = interface.private_ip.parse().unwrap_or(Ipv4Addr::UNSPECIFIED);
    let instance = Instance {
        instance_id: instance_id.clone(),
        reservation_id: given.id("r"),
        image_id: images::control_plane(given.region, &cluster.version),
        instance_type: cluster
            .outpost_config
            .as_ref()
            .map(|c| c.control_plane_instance_type.clone())
            .unwrap_or_default(),
        site: cluster.site.clone(),
        subnet_id: subnet.subnet_id.clone(),
        vpc_id: subnet.vpc_id.clone(),
        private_ip: interface.private_ip.clone(),
        private_dns_name: private_dns_name(given.region, address),
        network_interface_ids: vec![interface.network_interface_id.clone()],
        key_name: None,
        instance_profile: None,
        user_data: None,
        role: InstanceRole::ControlPlane { cluster_id: cluster.id.clone() },
        wanted: WantedInstanceState::Running,
        launch_time: given.now,
        ami_launch_index: 0,
        metadata_options: MetadataOptions { tokens_required: true, ..MetadataOptions::default() },
        client_token: None,
        tags,
    };
    let attachment = Attachment {
        attachment_id: given.id("eni-attach"),
        instance_id,
        device_index: 0,
        delete_on_termination: false,
        attach_time: given.now,
    };
    (instance, NetworkInterface { attachment: Some(attachment), ..interface })
}

fn tags(cluster: &Cluster) -> Tags {
    let pairs = [
        ("eks-local:controlplane-name".to_owned(), cluster.name.clone()),
        (format!("kubernetes.io/cluster/{}", cluster.name), "owned".to_owned()),
    ];
    pairs.into()
}

/// New instances in the places of lost ones, behind the same interfaces. A lost one's slot is free once it is seen
/// terminated, and not before: EKS terminates first, then launches.
pub(crate) fn replace(seen: &Observation, given: &mut Given<'_>) -> (Cluster, Vec<Action>) {
    let mut cluster = seen.cluster.clone();
    let mut actions = Vec::new();
    for (index, member) in seen.cluster.members.iter().enumerate() {
        let interface = seen.network.interfaces.get(&member.network_interface_id);
        let subnet = interface.and_then(|interface| seen.network.subnets.get(&interface.subnet_id));
        let (Some(interface), Some(subnet), true) = (interface, subnet, seen.is_replaceable(member)) else { continue };
        let (instance, interface) = launch(&cluster, subnet, interface.clone(), index + 1, given);
        if let Some(place) = cluster.members.get_mut(index) {
            place.instance_id = instance.instance_id.clone();
        }
        actions.extend([Action::PutInterface(interface), Action::PutInstance(Box::new(instance))]);
    }
    (cluster, actions)
}
