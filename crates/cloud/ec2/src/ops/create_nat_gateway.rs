use eksile_aws::inputs::{TagSpecification, specified_tags};
use eksile_aws::{Ask, Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use crate::asked;
use crate::network::Network;
use crate::records::{Address, NatGateway, NatGatewayState, NetworkInterface, Subnet, Tags};
use crate::resource::{find, invalid_value, missing};
use crate::shown::NatGatewayShown;

/// A public NAT gateway. What AWS finds out later, and shows as state `failed`, is refused at once here:
/// a VPC without internet gateway, an address in use.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateNatGateway.html>
#[derive(Shape)]
pub(super) struct CreateNatGateway {
    subnet_id: Option<String>,
    allocation_id: Option<String>,
    connectivity_type: Option<String>,
    client_token: Option<String>,
    #[shape(input = "TagSpecification")]
    tag_specifications: Vec<TagSpecification>,
}

/// The gateway.
#[derive(Shape)]
pub(super) struct Output {
    client_token: Option<String>,
    nat_gateway: NatGatewayShown,
}

impl Command for CreateNatGateway {
    type Output = Output;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        let mut asks = asked::made::<NatGateway>(call, "CreateNatGateway", &self.tag_specifications, |ask| ask);
        asks.push(asked::ask::<Subnet>(call, state, self.subnet_id.as_deref())?);
        asks.push(asked::ask::<Address>(call, state, self.allocation_id.as_deref())?);
        Ok(asks)
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<Output, Fault> {
        self.refuse_what_is_not_built()?;
        let subnet_id = self.subnet_id.as_ref().ok_or_else(|| missing("subnetId"))?;
        let subnet: Subnet = find(Reads::of(txn), &call.scope, subnet_id)?;
        let allocation_id = self.allocation_id.as_ref().ok_or_else(|| missing("allocationId"))?;
        let mut address: Address = find(Reads::of(txn), &call.scope, allocation_id)?;
        if address.association_id.is_some() {
            let message = format!("Elastic IP address [{allocation_id}] is already associated");
            return Err(Fault::client("Resource.AlreadyAssociated", 400, message));
        }
        let network = Network::read(Reads::of(txn), &call.scope)?;
        refuse_place(&subnet, &network)?;
        let gateway_id = call.id("nat");
        let interface = self.interface(call, &subnet, &network, &gateway_id)?;
        address.association_id = Some(call.id("eipassoc"));
        address.network_interface_id = Some(interface.network_interface_id.clone());
        let gateway = NatGateway {
            nat_gateway_id: gateway_id,
            subnet_id: subnet.subnet_id,
            vpc_id: subnet.vpc_id,
            allocation_id: address.allocation_id.clone(),
            network_interface_id: interface.network_interface_id.clone(),
            state: NatGatewayState::Available,
            create_time: call.now.as_second(),
            delete_time: None,
            tags: specified_tags(&self.tag_specifications, "natgateway")?,
        };
        txn.put_record(&call.scope, &address)?;
        txn.put_record(&call.scope, &interface)?;
        txn.put_record(&call.scope, &gateway)?;
        let nat_gateway = NatGatewayShown::of(&gateway, Some(&interface), Some(&address));
        Ok(Output { client_token: self.client_token, nat_gateway })
    }
}

fn refuse_place(subnet: &Subnet, network: &Network) -> Result<(), Fault> {
    if subnet.outpost_arn.is_some() {
        let message = "A NAT gateway cannot be created in an Outpost subnet";
        return Err(Fault::client("UnsupportedOperation", 400, message));
    }
    let attached = network.internet_gateways.values().any(|gateway| gateway.vpc_id.as_ref() == Some(&subnet.vpc_id));
    if !attached {
        let message = format!("Network {} has no Internet gateway attached", subnet.vpc_id);
        return Err(Fault::client("Gateway.NotAttached", 400, message));
    }
    Ok(())
}

impl CreateNatGateway {
    fn refuse_what_is_not_built(&self) -> Result<(), Fault> {
        match self.connectivity_type.as_deref() {
            None | Some("public") => Ok(()),
            Some("private") => Err(Fault::not_implemented("ConnectivityType=private")),
            Some(other) => Err(invalid_value(format!("Invalid value '{other}' for connectivityType."))),
        }
    }

    fn interface(
        &self,
        call: &Call<'_>,
        subnet: &Subnet,
        network: &Network,
        gateway_id: &str,
    ) -> Result<NetworkInterface, Fault> {
        let taken = network.space(&subnet.subnet_id).and_then(|mut space| space.take());
        let Some(private_ip) = taken else {
            let message = format!("Insufficient free addresses in subnet {}", subnet.subnet_id);
            return Err(Fault::client("InsufficientFreeAddressesInSubnet", 400, message));
        };
        let network_interface_id = call.id("eni");
        Ok(NetworkInterface {
            mac_address: NetworkInterface::mac_address_of(&network_interface_id),
            network_interface_id,
            subnet_id: subnet.subnet_id.clone(),
            vpc_id: subnet.vpc_id.clone(),
            private_ip: private_ip.to_string(),
            secondary_private_ips: Vec::new(),
            groups: Vec::new(),
            description: format!("Interface for NAT Gateway {gateway_id}"),
            interface_type: "nat_gateway".to_owned(),
            requester_managed: true,
            source_dest_check: false,
            attachment: None,
            tags: Tags::new(),
        })
    }
}
