//! A VPC's router: one for the Region's Zones, one for each Outpost that has subnets of the VPC.

use std::net::Ipv4Addr;

use eksile_ec2::records::{Route as WantedRoute, RouteTable, RouteTarget};
use eksile_linux::netlink::{Cidr, Neighbour, RouteKind, Selector, Veth, VethEnd};

use super::filter::Filter;
use super::plan::{End, JUMBO, LOCAL_TABLE, MAIN_TABLE, Place, Plan, anywhere};
use super::topology::{Network, Owner, Port};
use super::{Records, gateway, instance, link, names};

/// The metadata service's address (EC2 user guide, "Instance metadata").
const METADATA: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);

/// A router's ways out, beside its interfaces.
pub(super) struct Ways {
    /// To the internet gateway.
    pub(super) internet: Option<String>,
    /// To the local gateway.
    pub(super) local: Option<String>,
    /// To the VPC's part at the other end of a service link, by site.
    pub(super) sites: Vec<(String, String)>,
}

/// Plans a VPC's part on `site`.
pub(super) fn plan(plan: &mut Plan, network: &Network<'_>, records: &Records, (site, region): (&str, &str)) {
    let name = names::router(&network.vpc.vpc_id, site, region);
    *plan.place(&name) = Place::forwarding();
    serve(plan.place(&name), network, site);
    let ways = if site == region {
        zone_ways(plan, network, records, &name, region)
    } else {
        outpost_ways(plan, network, &name, (site, region))
    };
    for port in network.ports.values() {
        connect(plan, &name, port);
    }
    local_routes(plan.place(&name), network, site, region, &ways);
    for table in used_tables(network, site, site == region) {
        let misread = route_table(plan.place(&name), table, network, &ways);
        plan.pending.extend(misread);
    }
    plan.place(&name).rule(200, Selector::All, Some(LOCAL_TABLE));
    // Silent, as a VPC is: `unreachable` would answer.
    plan.place(&name).rule(300, Selector::All, None);
    let mut filter = Filter::new(network, records, site);
    filter.ways(&ways, site == region);
    plan.place(&name).filter = Some(filter.text(&mut plan.pending));
}

/// The router's own addresses: every subnet's base+1, the VPC's base+2 (resolver), the metadata
/// service (VPC user guide, "Subnet CIDR reservations").
fn serve(place: &mut Place, network: &Network<'_>, site: &str) {
    place.serve(METADATA);
    place.serve(network.block.nth(2));
    for subnet in network.subnets.iter().filter(|s| s.site == site) {
        place.serve(subnet.block.nth(1));
    }
}

fn zone_ways(plan: &mut Plan, network: &Network<'_>, records: &Records, name: &str, region: &str) -> Ways {
    let internet = network.gateway.map(|g| gateway::internet(plan, network, records, g, name));
    let mut sites = Vec::new();
    for outpost in network.other_sites(region) {
        let (device, middle) = (names::device('o', outpost), link::place(outpost));
        let port = names::device('r', &network.vpc.vpc_id);
        join(plan, &End::new(name, &*device), (&middle, &port), 'r', network, true);
        sites.push((outpost.to_owned(), device));
    }
    Ways { internet, local: None, sites }
}

fn outpost_ways(plan: &mut Plan, network: &Network<'_>, name: &str, (site, region): (&str, &str)) -> Ways {
    let port = names::device('o', &network.vpc.vpc_id);
    join(plan, &End::new(name, "region"), (&link::place(site), &port), 'o', network, false);
    let far = names::onprem_device(&network.vpc.vpc_id, site);
    plan.places.entry("onprem".into()).or_insert_with(|| Place::shared(names::onprem_prefix(site)));
    plan.cable(&End::new(name, "lgw"), &End::new("onprem", &*far), JUMBO);
    // Direct VPC routing: the customer's network learns the subnets that route to it.
    for subnet in network.subnets.iter().filter(|s| s.site == site) {
        let table = network.table_of(subnet.record);
        if table.is_some_and(|t| t.routes.iter().any(|r| matches!(r.target, RouteTarget::LocalGateway(_)))) {
            announce(plan, subnet.block, &far);
        }
    }
    Ways { internet: None, local: Some("lgw".into()), sites: vec![(region.to_owned(), "region".into())] }
}

/// One VPC alone has a block on premises; the first in order of ids keeps it.
fn announce(plan: &mut Plan, block: Cidr, device: &str) {
    let onprem = plan.place("onprem");
    if onprem.routes.iter().any(|r| r.to == block.network() && r.table == MAIN_TABLE) {
        plan.pending.push(format!("{block} is announced on premises by another VPC already"));
    } else {
        onprem.through(MAIN_TABLE, block, device);
    }
}

/// A router's cable into the service link, and its half of the link's routing. Each side plans
/// only its own half, so neither waits for the other.
fn join(
    plan: &mut Plan,
    near: &End<'_>,
    (middle, port): (&str, &str),
    prefix: char,
    network: &Network<'_>,
    zone: bool,
) {
    plan.places.entry(middle.to_owned()).or_insert_with(|| Place::shared(prefix.to_string()));
    plan.cable(near, &End::new(middle, port), JUMBO);
    let (up, down) = (link::table_up(&network.vpc.vpc_id), link::table_down(&network.vpc.vpc_id));
    let (to_me, from_me) = if zone { (up, down) } else { (down, up) };
    let middle = plan.place(middle);
    middle.through(to_me, anywhere(), port);
    middle.rule(100, Selector::From(port.to_owned()), Some(from_me));
}

/// An interface: its cable, its neighbour entry, its addresses' routes. The names of instances'
/// devices are theirs, `eth0` first.
fn connect(plan: &mut Plan, name: &str, port: &Port<'_>) {
    let device = names::device('e', &port.record.network_interface_id);
    let (far, end) = match port.owner {
        Owner::Instance { instance, index, .. } => (instance.instance_id.clone(), format!("eth{index}")),
        Owner::Nat(nat) => (nat.nat_gateway_id.clone(), "eth0".to_owned()),
    };
    let group = names::number(&port.subnet.record.subnet_id);
    let near = VethEnd { name: device.clone(), mac: Some(names::mac(name, &device)), group, mtu: JUMBO };
    let veth = Veth { near, far: VethEnd { name: end.clone(), mac: Some(port.mac), group: 0, mtu: JUMBO } };
    plan.cables.insert((name.to_owned(), device.clone()), (veth, far.clone()));
    let router = plan.place(name);
    router.neighbours.insert(Neighbour { device: device.clone(), address: port.address, mac: port.mac });
    router.via(LOCAL_TABLE, Cidr::host(port.address), &device, None);
    for address in &port.secondary {
        router.via(LOCAL_TABLE, Cidr::host(*address), &device, Some(port.address));
    }
    match port.owner {
        Owner::Instance { index, ids, .. } => {
            plan.place(&far).ids = ids;
            instance::inside(plan.place(&far), port, &end, index);
        }
        Owner::Nat(_) => gateway::nat(plan.place(&far), port),
    }
}

/// Blocks of the VPC that lie elsewhere, and silence for unused addresses here.
fn local_routes(place: &mut Place, network: &Network<'_>, site: &str, region: &str, ways: &Ways) {
    if site != region {
        // What is not on this Outpost is behind the link; the Region's router knows where.
        place.through(LOCAL_TABLE, network.block, "region");
        for subnet in network.subnets.iter().filter(|s| s.site == site) {
            place.route(LOCAL_TABLE, subnet.block, RouteKind::Blackhole);
        }
        return;
    }
    for subnet in &network.subnets {
        if let Some((_, device)) = ways.sites.iter().find(|(other, _)| other == subnet.site) {
            place.through(LOCAL_TABLE, subnet.block, device);
        }
    }
}

/// Tables of the subnets here; in the Region also those of Outposts' subnets, whose packets to
/// the internet pass its router.
fn used_tables<'a>(network: &Network<'a>, site: &str, zone: bool) -> Vec<&'a RouteTable> {
    let here = network.subnets.iter().filter(|s| zone || s.site == site);
    let mut tables: Vec<_> = here.filter_map(|s| network.table_of(s.record)).collect();
    tables.sort_unstable_by(|a, b| a.route_table_id.cmp(&b.route_table_id));
    tables.dedup_by(|a, b| a.route_table_id == b.route_table_id);
    tables
}

/// Returns the routes that are not understood.
fn route_table(place: &mut Place, table: &RouteTable, network: &Network<'_>, ways: &Ways) -> Vec<String> {
    let number = names::number(&table.route_table_id);
    place.rule(100, Selector::Mark(number), Some(number));
    // Longest prefix decides inside this table first, so a route more specific than the VPC wins.
    place.route(number, network.block, RouteKind::Throw);
    let mut misread = Vec::new();
    for route in table.routes.iter().filter(|r| r.target != RouteTarget::Local) {
        match route.destination_cidr_block.parse::<Cidr>() {
            Ok(to) => target(place, number, to, route, (network, ways)),
            Err(error) => misread.push(format!("{}: {error}", table.route_table_id)),
        }
    }
    misread
}

/// A route whose target is not there is a black hole (VPC user guide, "Route table concepts").
fn target(place: &mut Place, table: u32, to: Cidr, route: &WantedRoute, (network, ways): (&Network<'_>, &Ways)) {
    let region = ways.local.is_some().then(|| ways.sites.first().map(|(_, device)| device)).flatten();
    let through = match &route.target {
        RouteTarget::Local => return,
        RouteTarget::InternetGateway(id) => {
            let attached = network.gateway.is_some_and(|g| g.internet_gateway_id == *id);
            ways.internet.as_ref().or(region).filter(|_| attached)
        }
        RouteTarget::LocalGateway(_) => ways.local.as_ref(),
        RouteTarget::NatGateway(_) | RouteTarget::NetworkInterface(_) => {
            let wanted = |port: &&Port<'_>| match (&route.target, port.owner) {
                (RouteTarget::NatGateway(id), Owner::Nat(nat)) => nat.nat_gateway_id == *id,
                (RouteTarget::NetworkInterface(id), _) => port.record.network_interface_id == *id,
                _ => false,
            };
            if let Some(port) = network.ports.values().find(wanted) {
                let device = names::device('e', &port.record.network_interface_id);
                return place.via(table, to, &device, Some(port.address));
            }
            region
        }
    };
    match through {
        Some(device) => place.through(table, to, device),
        None => place.route(table, to, RouteKind::Blackhole),
    }
}
