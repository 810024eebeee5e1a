use eksile_aws::{Ask, Call, Command, Fault, Reads, Shape};
use eksile_outposts::records::Outpost;
use eksile_store::Txn;

use crate::asked;
use crate::block::Block;
use crate::records::{InternetGateway, NatGateway, NetworkInterface, Route, RouteTable, RouteTarget};
use crate::resource::{find, invalid_value, missing};
use crate::shown::Done;

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateRoute.html>
#[derive(Shape)]
pub(super) struct CreateRoute {
    route_table_id: String,
    destination_cidr_block: Option<String>,
    gateway_id: Option<String>,
    nat_gateway_id: Option<String>,
    local_gateway_id: Option<String>,
    network_interface_id: Option<String>,
}

impl Command for CreateRoute {
    type Output = Done;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![asked::ask::<RouteTable>(call, state, Some(&self.route_table_id))?])
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<Done, Fault> {
        let mut table: RouteTable = find(Reads::of(txn), &call.scope, &self.route_table_id)?;
        let destination = self.destination()?;
        let target = self.target(call, txn, &table)?;
        let route = Route { destination_cidr_block: destination.to_string(), target };
        let there = table.routes.iter().find(|other| other.destination_cidr_block == route.destination_cidr_block);
        match there {
            Some(same) if *same == route => return Ok(Done::TRUE),
            Some(_) => {
                let message = format!("The route identified by {destination} already exists.");
                return Err(Fault::client("RouteAlreadyExists", 400, message));
            }
            None => {}
        }
        refuse_inside_vpc(&table, destination, &route.target)?;
        table.routes.push(route);
        txn.put_record(&call.scope, &table)?;
        Ok(Done::TRUE)
    }
}

/// Only an interface may take traffic that stays within the VPC.
fn refuse_inside_vpc(table: &RouteTable, destination: Block, target: &RouteTarget) -> Result<(), Fault> {
    let local = table.routes.iter().find(|route| route.target == RouteTarget::Local);
    let own: Option<Block> = local.and_then(|route| route.destination_cidr_block.parse().ok());
    let inside = own.is_some_and(|own| own.contains(destination));
    if inside && !matches!(target, RouteTarget::NetworkInterface(_)) {
        return Err(invalid_value(format!(
            "The destination CIDR block {destination} is equal to or more specific than one of this VPC's CIDR blocks. \
             This route can target only an interface or an instance."
        )));
    }
    Ok(())
}

impl CreateRoute {
    fn destination(&self) -> Result<Block, Fault> {
        let text = self.destination_cidr_block.as_deref().ok_or_else(|| missing("destinationCidrBlock"))?;
        let message =
            || format!("Value ({text}) for parameter destinationCidrBlock is invalid. This is not a valid CIDR block.");
        text.parse().map_err(|_| invalid_value(message()))
    }

    fn target(&self, call: &Call<'_>, txn: &Txn<'_>, table: &RouteTable) -> Result<RouteTarget, Fault> {
        let mut targets = Vec::new();
        targets.extend(self.gateway_id.as_ref().map(|id| internet_gateway(call, txn, table, id)));
        targets.extend(self.nat_gateway_id.as_ref().map(|id| nat_gateway(call, txn, table, id)));
        targets.extend(self.local_gateway_id.as_ref().map(|id| local_gateway(call, txn, id)));
        targets.extend(self.network_interface_id.as_ref().map(|id| interface(call, txn, table, id)));
        if targets.len() > 1 {
            let message =
                "The request must contain exactly one of gatewayId, natGatewayId, localGatewayId, networkInterfaceId";
            return Err(Fault::client("InvalidParameterCombination", 400, message));
        }
        targets.pop().unwrap_or_else(|| Err(missing("gatewayId")))
    }
}

fn elsewhere(table: &RouteTable, noun: &str, id: &str) -> Fault {
    invalid_value(format!("route table {} and {noun} {id} belong to different networks", table.route_table_id))
}

fn internet_gateway(call: &Call<'_>, txn: &Txn<'_>, table: &RouteTable, id: &str) -> Result<RouteTarget, Fault> {
    if id.starts_with("vgw-") {
        return Err(Fault::not_implemented("A route to a virtual private gateway"));
    }
    let gateway: InternetGateway = find(Reads::of(txn), &call.scope, id)?;
    if gateway.vpc_id.as_ref() != Some(&table.vpc_id) {
        return Err(elsewhere(table, "network gateway", id));
    }
    Ok(RouteTarget::InternetGateway(gateway.internet_gateway_id))
}

fn nat_gateway(call: &Call<'_>, txn: &Txn<'_>, table: &RouteTable, id: &str) -> Result<RouteTarget, Fault> {
    let gateway: NatGateway = find(Reads::of(txn), &call.scope, id)?;
    if gateway.vpc_id != table.vpc_id {
        return Err(elsewhere(table, "NAT gateway", id));
    }
    Ok(RouteTarget::NatGateway(gateway.nat_gateway_id))
}

/// Every Outpost's local gateway is open to its owner's VPCs: associations with its route tables are not built.
fn local_gateway(call: &Call<'_>, txn: &Txn<'_>, id: &str) -> Result<RouteTarget, Fault> {
    let outposts = txn.records::<Outpost>(&call.scope)?;
    if !outposts.iter().any(|outpost| outpost.local_gateway_id == id) {
        let message = format!("The localGateway ID '{id}' does not exist");
        return Err(Fault::client("InvalidLocalGatewayID.NotFound", 400, message));
    }
    Ok(RouteTarget::LocalGateway(id.to_owned()))
}

fn interface(call: &Call<'_>, txn: &Txn<'_>, table: &RouteTable, id: &str) -> Result<RouteTarget, Fault> {
    let interface: NetworkInterface = find(Reads::of(txn), &call.scope, id)?;
    if interface.vpc_id != table.vpc_id {
        return Err(elsewhere(table, "interface", id));
    }
    Ok(RouteTarget::NetworkInterface(interface.network_interface_id))
}
