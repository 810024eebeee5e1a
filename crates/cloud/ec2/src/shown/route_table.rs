use eksile_aws::inputs::Tag;
use eksile_aws::{Call, Shape};

use super::tag_set;
use crate::records::{Route, RouteTable, RouteTarget};

/// `RouteTable` of the EC2 API.
#[derive(Debug, Shape)]
pub(crate) struct RouteTableShown {
    route_table_id: String,
    vpc_id: String,
    owner_id: String,
    association_set: Vec<RouteTableAssociation>,
    propagating_vgw_set: Vec<String>,
    route_set: Vec<RouteShown>,
    tag_set: Vec<Tag>,
}

#[derive(Debug, Shape)]
struct RouteTableAssociation {
    route_table_association_id: String,
    route_table_id: String,
    subnet_id: Option<String>,
    main: bool,
    association_state: AssociationState,
}

/// `RouteTableAssociationState` of the EC2 API.
#[derive(Debug, Shape)]
pub(crate) struct AssociationState {
    state: String,
}

impl AssociationState {
    pub(crate) fn associated() -> Self {
        Self { state: "associated".to_owned() }
    }
}

#[derive(Debug, Shape)]
struct RouteShown {
    destination_cidr_block: String,
    gateway_id: Option<String>,
    nat_gateway_id: Option<String>,
    local_gateway_id: Option<String>,
    network_interface_id: Option<String>,
    origin: String,
    state: String,
}

impl RouteTableShown {
    /// `stands` says whether a route's target is still there; a route without one is a black hole.
    pub(crate) fn of(call: &Call<'_>, table: &RouteTable, stands: impl Fn(&RouteTarget) -> bool) -> Self {
        Self {
            route_table_id: table.route_table_id.clone(),
            vpc_id: table.vpc_id.clone(),
            owner_id: call.scope.account.clone(),
            association_set: associations(table),
            propagating_vgw_set: Vec::new(),
            route_set: table.routes.iter().map(|route| RouteShown::of(route, stands(&route.target))).collect(),
            tag_set: tag_set(&table.tags),
        }
    }
}

fn associations(table: &RouteTable) -> Vec<RouteTableAssociation> {
    let shown = |id: &str, subnet_id: Option<&String>| RouteTableAssociation {
        route_table_association_id: id.to_owned(),
        route_table_id: table.route_table_id.clone(),
        main: subnet_id.is_none(),
        subnet_id: subnet_id.cloned(),
        association_state: AssociationState::associated(),
    };
    let main = table.main_association_id.iter().map(|id| shown(id, None));
    main.chain(table.associations.iter().map(|a| shown(&a.association_id, Some(&a.subnet_id)))).collect()
}

impl RouteShown {
    fn of(route: &Route, stands: bool) -> Self {
        let (mut gateway_id, mut nat_gateway_id, mut local_gateway_id, mut network_interface_id) =
            (None, None, None, None);
        match &route.target {
            RouteTarget::Local => gateway_id = Some("local".to_owned()),
            RouteTarget::InternetGateway(id) => gateway_id = Some(id.clone()),
            RouteTarget::NatGateway(id) => nat_gateway_id = Some(id.clone()),
            RouteTarget::LocalGateway(id) => local_gateway_id = Some(id.clone()),
            RouteTarget::NetworkInterface(id) => network_interface_id = Some(id.clone()),
        }
        let origin = if route.target == RouteTarget::Local { "CreateRouteTable" } else { "CreateRoute" };
        Self {
            destination_cidr_block: route.destination_cidr_block.clone(),
            gateway_id,
            nat_gateway_id,
            local_gateway_id,
            network_interface_id,
            origin: origin.to_owned(),
            state: if stands { "active" } else { "blackhole" }.to_owned(),
        }
    }
}
