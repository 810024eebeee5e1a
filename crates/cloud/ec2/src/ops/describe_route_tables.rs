use eksile_aws::inputs::Filter;
use eksile_aws::{Ask, Call, Fault, Lookup, Reads, Shape, filters};
use eksile_store::View;

use crate::network::Network;
use crate::records::{Association, NatGatewayState, RouteTable, RouteTarget};
use crate::resource::select;
use crate::shown::RouteTableShown;

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeRouteTables.html>
#[derive(Shape)]
pub(super) struct DescribeRouteTables {
    #[shape(input = "RouteTableId")]
    route_table_ids: Vec<String>,
    #[shape(input = "Filter")]
    filters: Vec<Filter>,
}

/// Tables by id.
#[derive(Shape)]
pub(super) struct Output {
    route_table_set: Vec<RouteTableShown>,
}

filters! {
    const NAMES, fn values(call: &Call<'_>, table: &RouteTable) {
        "route-table-id" | "association.route-table-id" => table.route_table_id.clone(),
        "vpc-id" => table.vpc_id.clone(),
        "owner-id" => call.scope.account.clone(),
        "association.main" => associations(table, |_| "true".to_owned(), |_| "false".to_owned()),
        "association.subnet-id" => of_all(&table.associations, |association| Some(association.subnet_id.clone())),
        "association.route-table-association-id" => associations(table, str::to_owned, |own| own.association_id.clone()),
        "route.destination-cidr-block" => of_all(&table.routes, |route| Some(route.destination_cidr_block.clone())),
        "route.gateway-id" => of_all(&table.routes, |route| gateway(&route.target)),
        "route.nat-gateway-id" => of_all(&table.routes, |route| nat_gateway(&route.target)),
    }
}

/// A text for the main association, if it is this table's, and one for each of its own.
fn associations(
    table: &RouteTable,
    main: impl Fn(&str) -> String,
    own: impl Fn(&Association) -> String,
) -> Vec<String> {
    let main = table.main_association_id.iter().map(|id| main(id));
    main.chain(table.associations.iter().map(own)).collect()
}

fn of_all<T>(all: &[T], value: impl Fn(&T) -> Option<String>) -> Vec<String> {
    all.iter().filter_map(value).collect()
}

fn gateway(target: &RouteTarget) -> Option<String> {
    match target {
        RouteTarget::Local => Some("local".to_owned()),
        RouteTarget::InternetGateway(id) => Some(id.clone()),
        _ => None,
    }
}

fn nat_gateway(target: &RouteTarget) -> Option<String> {
    match target {
        RouteTarget::NatGateway(id) => Some(id.clone()),
        _ => None,
    }
}

/// Whether a route's target is still there and still of this VPC.
fn stands(network: &Network, table: &RouteTable, target: &RouteTarget) -> bool {
    match target {
        RouteTarget::Local | RouteTarget::LocalGateway(_) => true,
        RouteTarget::InternetGateway(id) => {
            network.internet_gateways.get(id).is_some_and(|gateway| gateway.vpc_id.as_ref() == Some(&table.vpc_id))
        }
        RouteTarget::NatGateway(id) => {
            network.nat_gateways.get(id).is_some_and(|gateway| gateway.state == NatGatewayState::Available)
        }
        RouteTarget::NetworkInterface(id) => {
            network.interfaces.get(id).is_some_and(|interface| interface.attachment.is_some())
        }
    }
}

impl Lookup for DescribeRouteTables {
    type Output = Output;

    fn asks(&self, _call: &Call<'_>, _state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![Ask::any()])
    }

    fn run(self, call: &Call<'_>, view: &View) -> Result<Output, Fault> {
        let network = Network::read(Reads::of(view), &call.scope)?;
        let Self { route_table_ids: ids, filters } = self;
        let tables =
            select(Reads::of(view), &call.scope, &ids, &filters, NAMES, |table, name| values(call, table, name))?;
        let shown =
            tables.iter().map(|table| RouteTableShown::of(call, table, |target| stands(&network, table, target)));
        Ok(Output { route_table_set: shown.collect() })
    }
}
