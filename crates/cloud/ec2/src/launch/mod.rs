//! Launching instances: what an order must be, and what it makes.

mod metadata;
mod order;
mod profile;

pub(crate) use metadata::{MetadataRequest, options as metadata_options, tellable};
pub(crate) use order::{counts, groups, image, instance_type, secondary_addresses, subnet, user_data};
pub(crate) use profile::ProfileSpecification;

use std::net::Ipv4Addr;

use eksile_aws::{Call, Fault};
use eksile_outposts::records::Outpost;
use eksile_store::Txn;

use crate::instance_types::InstanceType;
use crate::network::Network;
use crate::private_names::private_dns_name;
use crate::records::{
    Attachment, Instance, InstanceProfileRef, InstanceRole, MetadataOptions, NetworkInterface, Subnet, Tags,
    WantedInstanceState,
};
use crate::resource::invalid_value;
use crate::subnet_space::SubnetSpace;

/// A launch, checked.
pub(crate) struct Order {
    pub(crate) image_id: String,
    pub(crate) instance_type: &'static InstanceType,
    pub(crate) subnet: Subnet,
    pub(crate) groups: Vec<String>,
    pub(crate) private_ip: Option<String>,
    /// How many besides the primary one.
    pub(crate) secondary_addresses: usize,
    pub(crate) description: String,
    pub(crate) delete_on_termination: bool,
    /// At least, and at most.
    pub(crate) counts: (u32, u32),
    pub(crate) user_data: Option<Vec<u8>>,
    pub(crate) profile: Option<InstanceProfileRef>,
    pub(crate) client_token: Option<String>,
    pub(crate) metadata_options: MetadataOptions,
    pub(crate) tags: Tags,
    pub(crate) interface_tags: Tags,
}

/// Addresses of one instance.
struct Addresses {
    primary: Ipv4Addr,
    secondary: Vec<Ipv4Addr>,
}

/// Launches as many as there is room for, within the counts.
pub(crate) fn launch(
    call: &Call<'_>,
    txn: &mut Txn<'_>,
    network: &Network,
    order: &Order,
) -> Result<Vec<Instance>, Fault> {
    let number = affordable(call, txn, network, order)?;
    let addresses = addresses(network, order, number)?;
    let reservation_id = call.id("r");
    let mut launched = Vec::new();
    for (own, index) in addresses.iter().zip(0..) {
        let (instance, interface) = make(call, order, &reservation_id, own, index);
        txn.put_record(&call.scope, &interface)?;
        txn.put_record(&call.scope, &instance)?;
        launched.push(instance);
    }
    Ok(launched)
}

/// How many the hosting site has slots for. The Region's Zones have room without bounds.
fn affordable(call: &Call<'_>, txn: &Txn<'_>, network: &Network, order: &Order) -> Result<u32, Fault> {
    let (least, most) = order.counts;
    let Some(arn) = &order.subnet.outpost_arn else { return Ok(most) };
    let name = order.instance_type.name;
    let outposts = txn.records::<Outpost>(&call.scope)?;
    let outpost = outposts.iter().find(|outpost| outpost.outpost_arn == *arn);
    let Some(slots) = outpost.and_then(|outpost| outpost.capacity.get(name)) else {
        let message =
            format!("Your requested instance type ({name}) is not supported in your requested Outpost ({arn}).");
        return Err(Fault::client("Unsupported", 400, message));
    };
    let free = slots.saturating_sub(network.slots_taken(order.subnet.site(call.region), name));
    if free < least {
        let message = "There is not enough capacity on the Outpost to launch or start the instance.";
        return Err(Fault::client("InsufficientCapacityOnOutpost", 400, message));
    }
    Ok(free.min(most))
}

/// Addresses for as many as the subnet has room for, up to `number`.
fn addresses(network: &Network, order: &Order, number: u32) -> Result<Vec<Addresses>, Fault> {
    let subnet_id = &order.subnet.subnet_id;
    let too_few = || {
        let message = format!(
            "There are not enough free addresses in subnet '{subnet_id}' to satisfy the requested number of instances."
        );
        Fault::client("InsufficientFreeAddressesInSubnet", 400, message)
    };
    let mut space = network.space(subnet_id).ok_or_else(|| invalid_value("The subnet has no addresses"))?;
    if let Some(text) = &order.private_ip {
        let address: Ipv4Addr = text.parse().map_err(|_| invalid_value(format!("Invalid IPv4 address {text}")))?;
        if !space.assignable(address) {
            return Err(invalid_value(format!("Address {text} does not fall within the subnet's address range")));
        }
        if !space.take_exactly(address) {
            return Err(Fault::client("InvalidIPAddress.InUse", 400, format!("Address {text} is in use.")));
        }
        let secondary = secondary(&mut space, order).ok_or_else(too_few)?;
        return Ok(vec![Addresses { primary: address, secondary }]);
    }
    let one = |space: &mut SubnetSpace| Some(Addresses { primary: space.take()?, secondary: secondary(space, order)? });
    let taken: Vec<_> = (0..number).map_while(|_| one(&mut space)).collect();
    if taken.len() < order.counts.0 as usize { Err(too_few()) } else { Ok(taken) }
}

/// All of an instance's secondary addresses, or none.
fn secondary(space: &mut SubnetSpace, order: &Order) -> Option<Vec<Ipv4Addr>> {
    (0..order.secondary_addresses).map(|_| space.take()).collect()
}

fn make(
    call: &Call<'_>,
    order: &Order,
    reservation_id: &str,
    own: &Addresses,
    index: u32,
) -> (Instance, NetworkInterface) {
    let instance_id = call.id("i");
    let interface = interface(call, order, &instance_id, own);
    let instance = Instance {
        instance_id,
        reservation_id: reservation_id.to_owned(),
        image_id: order.image_id.clone(),
        instance_type: order.instance_type.name.to_owned(),
        site: order.subnet.site(call.region).to_owned(),
        subnet_id: order.subnet.subnet_id.clone(),
        vpc_id: order.subnet.vpc_id.clone(),
        private_ip: own.primary.to_string(),
        private_dns_name: private_dns_name(call.region, own.primary),
        network_interface_ids: vec![interface.network_interface_id.clone()],
        key_name: None,
        instance_profile: order.profile.clone(),
        user_data: order.user_data.clone(),
        role: InstanceRole::Worker,
        wanted: WantedInstanceState::Running,
        launch_time: call.now.as_second(),
        ami_launch_index: index,
        metadata_options: order.metadata_options,
        client_token: order.client_token.clone(),
        tags: order.tags.clone(),
    };
    (instance, interface)
}

fn interface(call: &Call<'_>, order: &Order, instance_id: &str, own: &Addresses) -> NetworkInterface {
    let network_interface_id = call.id("eni");
    let attachment = Attachment {
        attachment_id: call.id("eni-attach"),
        instance_id: instance_id.to_owned(),
        device_index: 0,
        delete_on_termination: order.delete_on_termination,
        attach_time: call.now.as_second(),
    };
    NetworkInterface {
        mac_address: NetworkInterface::mac_address_of(&network_interface_id),
        network_interface_id,
        subnet_id: order.subnet.subnet_id.clone(),
        vpc_id: order.subnet.vpc_id.clone(),
        private_ip: own.primary.to_string(),
        secondary_private_ips: own.secondary.iter().map(Ipv4Addr::to_string).collect(),
        groups: order.groups.clone(),
        description: order.description.clone(),
        interface_type: "interface".to_owned(),
        requester_managed: false,
        source_dest_check: true,
        attachment: Some(attachment),
        tags: order.interface_tags.clone(),
    }
}
