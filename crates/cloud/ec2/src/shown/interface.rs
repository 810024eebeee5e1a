use eksile_aws::inputs::Tag;
use eksile_aws::{Call, Shape, filters};
use jiff::Timestamp;

use super::{tag_set, time};
use crate::network::Network;
use crate::private_names::{private_dns_name, public_dns_name};
use crate::records::{Address, Attachment, NetworkInterface};

/// `NetworkInterface` of the EC2 API.
#[derive(Debug, Shape)]
pub(crate) struct InterfaceShown {
    network_interface_id: String,
    subnet_id: String,
    vpc_id: String,
    availability_zone: Option<String>,
    outpost_arn: Option<String>,
    description: String,
    owner_id: String,
    requester_managed: bool,
    status: String,
    interface_type: String,
    mac_address: String,
    private_ip_address: String,
    private_dns_name: Option<String>,
    source_dest_check: bool,
    group_set: Vec<GroupIdentifier>,
    attachment: Option<AttachmentShown>,
    association: Option<AssociationShown>,
    private_ip_addresses_set: Vec<PrivateIpAddress>,
    tag_set: Vec<Tag>,
}

/// A group by id and name.
#[derive(Debug, Clone, PartialEq, Eq, Shape)]
pub(crate) struct GroupIdentifier {
    pub(crate) group_id: String,
    pub(crate) group_name: String,
}

#[derive(Debug, Shape)]
struct AttachmentShown {
    attachment_id: String,
    device_index: u32,
    network_card_index: u32,
    status: String,
    attach_time: Option<Timestamp>,
    delete_on_termination: bool,
    instance_id: Option<String>,
    instance_owner_id: String,
}

/// The public address that an interface shows to the internet.
#[derive(Debug, Clone, Shape)]
pub(crate) struct AssociationShown {
    pub(crate) public_ip: String,
    pub(crate) public_dns_name: String,
    pub(crate) ip_owner_id: String,
    pub(crate) allocation_id: Option<String>,
    pub(crate) association_id: Option<String>,
}

/// One private address.
#[derive(Debug, Shape)]
pub(crate) struct PrivateIpAddress {
    private_ip_address: String,
    private_dns_name: Option<String>,
    primary: bool,
    association: Option<AssociationShown>,
}

impl AssociationShown {
    pub(crate) fn of(call: &Call<'_>, address: &Address) -> Self {
        let name = address.public_ip.parse().map(|ip| public_dns_name(call.region, ip));
        Self {
            public_ip: address.public_ip.clone(),
            public_dns_name: name.unwrap_or_default(),
            ip_owner_id: call.scope.account.clone(),
            allocation_id: Some(address.allocation_id.clone()),
            association_id: address.association_id.clone(),
        }
    }
}

impl PrivateIpAddress {
    /// The primary address first.
    pub(crate) fn all(call: &Call<'_>, interface: &NetworkInterface, public: Option<&AssociationShown>) -> Vec<Self> {
        let shown = |ip: &String, primary: bool| Self {
            private_ip_address: ip.clone(),
            private_dns_name: ip.parse().ok().map(|ip| private_dns_name(call.region, ip)),
            primary,
            association: public.filter(|_| primary).cloned(),
        };
        let secondary = interface.secondary_private_ips.iter().map(|ip| shown(ip, false));
        std::iter::once(shown(&interface.private_ip, true)).chain(secondary).collect()
    }
}

fn attachment(call: &Call<'_>, attachment: &Attachment) -> AttachmentShown {
    AttachmentShown {
        attachment_id: attachment.attachment_id.clone(),
        device_index: attachment.device_index,
        network_card_index: 0,
        status: "attached".to_owned(),
        attach_time: Some(time(attachment.attach_time)),
        delete_on_termination: attachment.delete_on_termination,
        instance_id: Some(attachment.instance_id.clone()),
        instance_owner_id: call.scope.account.clone(),
    }
}

impl GroupIdentifier {
    pub(crate) fn all(network: &Network, ids: &[String]) -> Vec<Self> {
        let named = |id: &String| {
            let group = network.security_groups.get(id)?;
            Some(Self { group_id: id.clone(), group_name: group.group_name.clone() })
        };
        ids.iter().filter_map(named).collect()
    }
}

/// `in-use` when a machine or a service has it.
pub(crate) fn status(interface: &NetworkInterface) -> &'static str {
    let used = interface.attachment.is_some() || interface.interface_type != "interface";
    if used { "in-use" } else { "available" }
}

impl InterfaceShown {
    pub(crate) fn of(
        call: &Call<'_>,
        interface: &NetworkInterface,
        network: &Network,
        address: Option<&Address>,
    ) -> Self {
        let subnet = network.subnets.get(&interface.subnet_id);
        let public = address.map(|address| AssociationShown::of(call, address));
        Self {
            network_interface_id: interface.network_interface_id.clone(),
            subnet_id: interface.subnet_id.clone(),
            vpc_id: interface.vpc_id.clone(),
            availability_zone: subnet.map(|subnet| subnet.availability_zone.clone()),
            outpost_arn: subnet.and_then(|subnet| subnet.outpost_arn.clone()),
            description: interface.description.clone(),
            owner_id: call.scope.account.clone(),
            requester_managed: interface.requester_managed,
            status: status(interface).to_owned(),
            interface_type: interface.interface_type.clone(),
            mac_address: interface.mac_address.clone(),
            private_ip_address: interface.private_ip.clone(),
            private_dns_name: interface.private_ip.parse().ok().map(|ip| private_dns_name(call.region, ip)),
            source_dest_check: interface.source_dest_check,
            group_set: GroupIdentifier::all(network, &interface.groups),
            attachment: interface.attachment.as_ref().map(|held| attachment(call, held)),
            private_ip_addresses_set: PrivateIpAddress::all(call, interface, public.as_ref()),
            association: public,
            tag_set: tag_set(&interface.tags),
        }
    }
}

filters! {
    /// Values for the filters of `DescribeNetworkInterfaces`.
    pub(crate) const FILTERS, fn filter_values(call: &Call<'_>, interface: &NetworkInterface, network: &Network, address: Option<&Address>) {
        "network-interface-id" => interface.network_interface_id.clone(),
        "subnet-id" => interface.subnet_id.clone(),
        "vpc-id" => interface.vpc_id.clone(),
        "description" => interface.description.clone(),
        "status" => status(interface).to_owned(),
        "private-ip-address" => interface.private_ip.clone(),
        "mac-address" => interface.mac_address.clone(),
        "interface-type" => interface.interface_type.clone(),
        "requester-managed" => interface.requester_managed.to_string(),
        "source-dest-check" => interface.source_dest_check.to_string(),
        "owner-id" => call.scope.account.clone(),
        "group-id" => interface.groups.clone(),
        "group-name" => group_names(network, &interface.groups),
        "addresses.private-ip-address" => private_ips(interface),
        "availability-zone" => network.subnets.get(&interface.subnet_id).map(|s| s.availability_zone.clone()),
        "attachment.instance-id" => interface.attachment.as_ref().map(|a| a.instance_id.clone()),
        "attachment.attachment-id" => interface.attachment.as_ref().map(|a| a.attachment_id.clone()),
        "attachment.device-index" => interface.attachment.as_ref().map(|a| a.device_index.to_string()),
        "association.public-ip" => address.map(|a| a.public_ip.clone()),
        "association.allocation-id" => address.map(|a| a.allocation_id.clone()),
        "attachment.status" => interface.attachment.as_ref().map(|_| "attached".to_owned()),
    }
}

fn private_ips(interface: &NetworkInterface) -> Vec<String> {
    std::iter::once(&interface.private_ip).chain(&interface.secondary_private_ips).cloned().collect()
}

/// The names of groups, given their ids.
pub(super) fn group_names(network: &Network, ids: &[String]) -> Vec<String> {
    GroupIdentifier::all(network, ids).into_iter().map(|group| group.group_name).collect()
}
