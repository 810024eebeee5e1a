use eksile_aws::inputs::Tag;
use eksile_aws::{Call, Shape};
use jiff::Timestamp;

use super::{tag_set, time};
use crate::records::{Address, InternetGateway, NatGateway, NatGatewayState, NetworkInterface};

/// `InternetGateway` of the EC2 API.
#[derive(Debug, Shape)]
pub(crate) struct InternetGatewayShown {
    internet_gateway_id: String,
    owner_id: String,
    attachment_set: Vec<InternetGatewayAttachment>,
    tag_set: Vec<Tag>,
}

#[derive(Debug, Shape)]
struct InternetGatewayAttachment {
    state: String,
    vpc_id: String,
}

impl InternetGatewayShown {
    pub(crate) fn of(call: &Call<'_>, gateway: &InternetGateway) -> Self {
        let attachment =
            |vpc_id: &String| InternetGatewayAttachment { state: "available".to_owned(), vpc_id: vpc_id.clone() };
        Self {
            internet_gateway_id: gateway.internet_gateway_id.clone(),
            owner_id: call.scope.account.clone(),
            attachment_set: gateway.vpc_id.iter().map(attachment).collect(),
            tag_set: tag_set(&gateway.tags),
        }
    }
}

/// `NatGateway` of the EC2 API.
#[derive(Debug, Shape)]
pub(crate) struct NatGatewayShown {
    nat_gateway_id: String,
    subnet_id: String,
    vpc_id: String,
    state: String,
    connectivity_type: String,
    create_time: Timestamp,
    delete_time: Option<Timestamp>,
    nat_gateway_address_set: Vec<NatGatewayAddress>,
    tag_set: Vec<Tag>,
}

#[derive(Debug, Shape)]
struct NatGatewayAddress {
    allocation_id: String,
    association_id: Option<String>,
    network_interface_id: String,
    private_ip: String,
    public_ip: String,
    is_primary: bool,
    status: String,
}

impl NatGatewayState {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Available => "available",
            Self::Deleted => "deleted",
        }
    }
}

impl NatGatewayShown {
    /// A deleted one has neither interface nor address any more.
    pub(crate) fn of(gateway: &NatGateway, interface: Option<&NetworkInterface>, address: Option<&Address>) -> Self {
        let addresses = interface.zip(address).map(|(interface, address)| NatGatewayAddress {
            allocation_id: address.allocation_id.clone(),
            association_id: address.association_id.clone(),
            network_interface_id: interface.network_interface_id.clone(),
            private_ip: interface.private_ip.clone(),
            public_ip: address.public_ip.clone(),
            is_primary: true,
            status: "succeeded".to_owned(),
        });
        Self {
            nat_gateway_id: gateway.nat_gateway_id.clone(),
            subnet_id: gateway.subnet_id.clone(),
            vpc_id: gateway.vpc_id.clone(),
            state: gateway.state.name().to_owned(),
            connectivity_type: "public".to_owned(),
            create_time: time(gateway.create_time),
            delete_time: gateway.delete_time.map(time),
            nat_gateway_address_set: addresses.into_iter().collect(),
            tag_set: tag_set(&gateway.tags),
        }
    }
}
