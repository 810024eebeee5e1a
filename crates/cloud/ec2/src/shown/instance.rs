use eksile_aws::inputs::Tag;
use eksile_aws::{Call, Shape, filters};
use jiff::Timestamp;

use super::interface::PrivateIpAddress;
use super::interface::group_names;
use super::{AssociationShown, GroupIdentifier, MetadataOptionsShown, tag_set, time};
use crate::instance_types;
use crate::network::Network;
use crate::records::{
    Address, Instance, InstanceProfileRef, InstanceState, NetworkInterface, ObservedInstance, WantedInstanceState,
};

/// `Reservation` of the EC2 API.
#[derive(Debug, Shape)]
pub(crate) struct ReservationShown {
    pub(crate) reservation_id: String,
    pub(crate) owner_id: String,
    pub(crate) group_set: Vec<GroupIdentifier>,
    pub(crate) instances_set: Vec<InstanceShown>,
}

/// `InstanceState` of the EC2 API.
#[derive(Debug, Clone, PartialEq, Eq, Shape)]
pub(crate) struct InstanceStateShown {
    code: i32,
    name: String,
}

impl From<InstanceState> for InstanceStateShown {
    fn from(state: InstanceState) -> Self {
        let (code, name) = state.code_and_name();
        Self { code, name: name.to_owned() }
    }
}

/// `Instance` of the EC2 API.
#[derive(Debug, Shape)]
pub(crate) struct InstanceShown {
    instance_id: String,
    image_id: String,
    instance_state: InstanceStateShown,
    private_dns_name: String,
    dns_name: String,
    reason: String,
    state_reason: Option<StateReason>,
    key_name: Option<String>,
    ami_launch_index: u32,
    instance_type: String,
    launch_time: Timestamp,
    placement: Placement,
    monitoring: Monitoring,
    subnet_id: Option<String>,
    vpc_id: Option<String>,
    outpost_arn: Option<String>,
    private_ip_address: Option<String>,
    ip_address: Option<String>,
    source_dest_check: Option<bool>,
    group_set: Vec<GroupIdentifier>,
    architecture: String,
    root_device_type: String,
    virtualization_type: String,
    hypervisor: String,
    client_token: Option<String>,
    ena_support: bool,
    ebs_optimized: bool,
    iam_instance_profile: Option<IamInstanceProfile>,
    network_interface_set: Vec<InstanceInterface>,
    cpu_options: Option<CpuOptions>,
    metadata_options: MetadataOptionsShown,
    platform_details: String,
    tag_set: Vec<Tag>,
}

#[derive(Debug, Shape)]
struct StateReason {
    code: String,
    message: String,
}

#[derive(Debug, Shape)]
struct Placement {
    availability_zone: Option<String>,
    availability_zone_id: Option<String>,
    group_name: String,
    tenancy: String,
}

#[derive(Debug, Shape)]
struct Monitoring {
    state: String,
}

#[derive(Debug, Shape)]
struct IamInstanceProfile {
    arn: String,
    id: String,
}

#[derive(Debug, Shape)]
struct CpuOptions {
    core_count: u32,
    threads_per_core: u32,
}

#[derive(Debug, Shape)]
struct InstanceInterface {
    network_interface_id: String,
    subnet_id: String,
    vpc_id: String,
    description: String,
    owner_id: String,
    status: String,
    mac_address: String,
    private_ip_address: String,
    private_dns_name: String,
    source_dest_check: bool,
    interface_type: String,
    group_set: Vec<GroupIdentifier>,
    attachment: Option<InterfaceAttachment>,
    association: Option<AssociationShown>,
    private_ip_addresses_set: Vec<PrivateIpAddress>,
}

#[derive(Debug, Shape)]
struct InterfaceAttachment {
    attachment_id: String,
    device_index: u32,
    network_card_index: u32,
    status: String,
    attach_time: Timestamp,
    delete_on_termination: bool,
}

/// An instance's interfaces that still exist, by device index, with their public addresses.
fn interfaces<'a>(
    instance: &'a Instance,
    network: &'a Network,
    addresses: &'a [Address],
) -> impl Iterator<Item = (&'a NetworkInterface, Option<&'a Address>)> {
    let found = instance.network_interface_ids.iter().filter_map(|id| network.interfaces.get(id));
    found.map(|interface| {
        let public =
            addresses.iter().find(|a| a.network_interface_id.as_ref() == Some(&interface.network_interface_id));
        (interface, public)
    })
}

impl InstanceShown {
    pub(crate) fn of(call: &Call<'_>, instance: &Instance, network: &Network, addresses: &[Address]) -> Self {
        let state = network.state(instance);
        let observed = network.observed.get(&instance.instance_id);
        let kind = instance_types::find(&instance.instance_type);
        let subnet = network.subnets.get(&instance.subnet_id);
        let primary = interfaces(instance, network, addresses).next();
        let public = primary.and_then(|(_, address)| address).map(|address| AssociationShown::of(call, address));
        // A terminated instance has given up its place in the network.
        let placed = (state != InstanceState::Terminated).then_some(());
        Self {
            instance_id: instance.instance_id.clone(),
            image_id: instance.image_id.clone(),
            private_dns_name: placed.map(|()| instance.private_dns_name.clone()).unwrap_or_default(),
            dns_name: public.as_ref().map(|public| public.public_dns_name.clone()).unwrap_or_default(),
            reason: reason(instance, state, observed),
            state_reason: state_reason(instance, state, observed),
            key_name: instance.key_name.clone(),
            ami_launch_index: instance.ami_launch_index,
            instance_type: instance.instance_type.clone(),
            launch_time: time(instance.launch_time),
            placement: Placement {
                availability_zone: subnet.map(|subnet| subnet.availability_zone.clone()),
                availability_zone_id: subnet.map(|subnet| subnet.availability_zone_id.clone()),
                group_name: String::new(),
                tenancy: "default".to_owned(),
            },
            monitoring: Monitoring { state: "disabled".to_owned() },
            subnet_id: placed.map(|()| instance.subnet_id.clone()),
            vpc_id: placed.map(|()| instance.vpc_id.clone()),
            outpost_arn: subnet.and_then(|subnet| subnet.outpost_arn.clone()),
            private_ip_address: placed.map(|()| instance.private_ip.clone()),
            ip_address: public.map(|public| public.public_ip),
            source_dest_check: primary.map(|(interface, _)| interface.source_dest_check),
            group_set: primary.map(|(i, _)| GroupIdentifier::all(network, &i.groups)).unwrap_or_default(),
            architecture: "x86_64".to_owned(),
            root_device_type: "ebs".to_owned(),
            virtualization_type: "hvm".to_owned(),
            hypervisor: "xen".to_owned(),
            client_token: instance.client_token.clone(),
            ena_support: true,
            ebs_optimized: false,
            iam_instance_profile: instance.instance_profile.as_ref().map(IamInstanceProfile::of),
            network_interface_set: interfaces(instance, network, addresses)
                .map(|(interface, address)| InstanceInterface::of(call, interface, network, address))
                .collect(),
            cpu_options: kind.map(|kind| CpuOptions {
                core_count: kind.vcpus / kind.threads_per_core,
                threads_per_core: kind.threads_per_core,
            }),
            metadata_options: MetadataOptionsShown::of(instance.metadata_options, "applied"),
            platform_details: "Linux/UNIX".to_owned(),
            tag_set: tag_set(&instance.tags),
            instance_state: state.into(),
        }
    }
}

impl IamInstanceProfile {
    fn of(profile: &InstanceProfileRef) -> Self {
        Self { arn: profile.arn.clone(), id: profile.id.clone() }
    }
}

impl InstanceInterface {
    fn of(call: &Call<'_>, interface: &NetworkInterface, network: &Network, address: Option<&Address>) -> Self {
        let public = address.map(|address| AssociationShown::of(call, address));
        let name = interface.private_ip.parse().map(|ip| crate::private_names::private_dns_name(call.region, ip));
        Self {
            network_interface_id: interface.network_interface_id.clone(),
            subnet_id: interface.subnet_id.clone(),
            vpc_id: interface.vpc_id.clone(),
            description: interface.description.clone(),
            owner_id: call.scope.account.clone(),
            status: "in-use".to_owned(),
            mac_address: interface.mac_address.clone(),
            private_ip_address: interface.private_ip.clone(),
            private_dns_name: name.unwrap_or_default(),
            source_dest_check: interface.source_dest_check,
            interface_type: interface.interface_type.clone(),
            group_set: GroupIdentifier::all(network, &interface.groups),
            attachment: interface.attachment.as_ref().map(|held| InterfaceAttachment {
                attachment_id: held.attachment_id.clone(),
                device_index: held.device_index,
                network_card_index: 0,
                status: "attached".to_owned(),
                attach_time: time(held.attach_time),
                delete_on_termination: held.delete_on_termination,
            }),
            private_ip_addresses_set: PrivateIpAddress::all(call, interface, public.as_ref()),
            association: public,
        }
    }
}

fn ends_as_wanted(instance: &Instance, state: InstanceState) -> bool {
    let ending = matches!(state, InstanceState::ShuttingDown | InstanceState::Terminated);
    ending && instance.wanted == WantedInstanceState::Terminated
}

fn reason(instance: &Instance, state: InstanceState, observed: Option<&ObservedInstance>) -> String {
    if let Some(told) = observed.and_then(|observed| observed.reason.clone()) {
        return told;
    }
    if ends_as_wanted(instance, state) {
        let when = observed.filter(|observed| observed.state == InstanceState::Terminated);
        let at = |observed: &ObservedInstance| time(observed.since).strftime("%Y-%m-%d %H:%M:%S GMT").to_string();
        return when.map_or_else(|| "User initiated".to_owned(), |o| format!("User initiated ({})", at(o)));
    }
    String::new()
}

fn state_reason(instance: &Instance, state: InstanceState, observed: Option<&ObservedInstance>) -> Option<StateReason> {
    if ends_as_wanted(instance, state) {
        let code = "Client.UserInitiatedShutdown".to_owned();
        return Some(StateReason { message: format!("{code}: User initiated shutdown"), code });
    }
    let text = observed?.reason.clone()?;
    let code = "Server.InternalError".to_owned();
    Some(StateReason { message: format!("{code}: {text}"), code })
}

filters! {
    /// Values for the filters of `DescribeInstances`.
    pub(crate) const FILTERS, fn filter_values(call: &Call<'_>, instance: &Instance, network: &Network) {
        "instance-id" => instance.instance_id.clone(),
        "instance-state-name" => network.state(instance).code_and_name().1,
        "instance-state-code" => network.state(instance).code_and_name().0.to_string(),
        "instance-type" => instance.instance_type.clone(),
        "image-id" => instance.image_id.clone(),
        "reservation-id" => instance.reservation_id.clone(),
        "owner-id" => call.scope.account.clone(),
        "subnet-id" | "network-interface.subnet-id" => instance.subnet_id.clone(),
        "vpc-id" | "network-interface.vpc-id" => instance.vpc_id.clone(),
        "private-ip-address" | "network-interface.addresses.private-ip-address" => instance.private_ip.clone(),
        "private-dns-name" | "network-interface.private-dns-name" => instance.private_dns_name.clone(),
        "architecture" => "x86_64".to_owned(),
        "launch-time" => time(instance.launch_time).to_string(),
        "launch-index" => instance.ami_launch_index.to_string(),
        "tenancy" => "default".to_owned(),
        "client-token" => instance.client_token.clone(),
        "metadata-options.http-tokens" =>
            if instance.metadata_options.tokens_required { "required" } else { "optional" }.to_owned(),
        "metadata-options.http-endpoint" => if instance.metadata_options.enabled { "enabled" } else { "disabled" }.to_owned(),
        "metadata-options.http-put-response-hop-limit" => instance.metadata_options.hop_limit.to_string(),
        "key-name" => instance.key_name.clone(),
        "availability-zone" => network.subnets.get(&instance.subnet_id).map(|s| s.availability_zone.clone()),
        "outpost-arn" => network.subnets.get(&instance.subnet_id).and_then(|s| s.outpost_arn.clone()),
        "iam-instance-profile.arn" => instance.instance_profile.as_ref().map(|p| p.arn.clone()),
        "network-interface.network-interface-id" => instance.network_interface_ids.clone(),
        "instance.group-id" | "network-interface.group-id" => group_ids(instance, network),
        "instance.group-name" | "network-interface.group-name" => group_names(network, &group_ids(instance, network)),
    }
}

fn group_ids(instance: &Instance, network: &Network) -> Vec<String> {
    let held = instance.network_interface_ids.iter().filter_map(|id| network.interfaces.get(id));
    held.flat_map(|interface| interface.groups.iter().cloned()).collect()
}
