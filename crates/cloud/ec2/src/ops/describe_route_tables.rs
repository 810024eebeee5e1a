use eksile_aws::inputs::Filter;
use eksile_aws::{Call, Fault, Lookup, Reads, Shape};
use eksile_store::View;

use crate::network::Network;
use crate::records::{NatGatewayState, RouteTable, RouteTarget};
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

fn values(call: &Call<'_>, table: &RouteTable, name: &str) -> Option<Vec<String>> {
    let own = table.associations.iter();
    let routes = table.routes.iter();
    let values = match name {
        "route-table-id" | "association.route-table-id" => vec![table.route_table_id.clone()],
        "vpc-id" => vec![table.vpc_id.clone()],
        "owner-id" => vec![call.scope.account.clone()],
        "association.main" => {
            let main = table.main_association_id.iter().map(|_| "true".to_owned());
            main.chain(own.map(|_| "false".to_owned())).collect()
        }
        "association.subnet-id" => own.map(|association| association.subnet_id.clone()).collect(),
        "association.route-table-association-id" => table
            .main_association_id
            .iter()
            .chain(own.map(|association| &association.association_id))
            .cloned()
            .collect(),
        "route.destination-cidr-block" => routes.map(|route| route.destination_cidr_block.clone()).collect(),
        "route.gateway-id" => routes.filter_map(|route| gateway(&route.target)).collect(),
        "route.nat-gateway-id" => routes.filter_map(|route| nat_gateway(&route.target)).collect(),
        _ => return None,
    };
    Some(values)
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

    fn run(self, call: &Call<'_>, view: &View) -> Result<Output, Fault> {
        let network = Network::read(Reads::of(view), &call.scope)?;
        let Self { route_table_ids: ids, filters } = self;
        let tables = select(Reads::of(view), &call.scope, &ids, &filters, |table, name| values(call, table, name))?;
        let shown =
            tables.iter().map(|table| RouteTableShown::of(call, table, |target| stands(&network, table, target)));
        Ok(Output { route_table_set: shown.collect() })
    }
}
