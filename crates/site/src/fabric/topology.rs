//! The records, understood: parsed once, looked up by what the plan asks.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use eksile_ec2::records::{
    Instance, InstanceRole, InternetGateway, NatGateway, NatGatewayState, NetworkInterface, RouteTable, Subnet, Vpc,
    WantedInstanceState,
};
use eksile_linux::IdRange;
use eksile_linux::netlink::{Cidr, Mac};

use super::Records;

/// A subnet with its block and the site it lies on.
#[derive(Debug, Clone, Copy)]
pub(super) struct PlacedSubnet<'a> {
    pub(super) record: &'a Subnet,
    pub(super) block: Cidr,
    pub(super) site: &'a str,
}

/// What owns an interface.
#[derive(Debug, Clone, Copy)]
pub(super) enum Owner<'a> {
    Instance { instance: &'a Instance, index: u32, ids: Option<IdRange> },
    Nat(&'a NatGateway),
}

/// An interface whose owner is to be there, on this site.
#[derive(Debug, Clone)]
pub(super) struct Port<'a> {
    pub(super) record: &'a NetworkInterface,
    pub(super) owner: Owner<'a>,
    pub(super) subnet: PlacedSubnet<'a>,
    pub(super) address: Ipv4Addr,
    pub(super) secondary: Vec<Ipv4Addr>,
    pub(super) mac: Mac,
}

/// One VPC.
pub(super) struct Network<'a> {
    pub(super) vpc: &'a Vpc,
    pub(super) block: Cidr,
    /// Of all sites.
    pub(super) subnets: Vec<PlacedSubnet<'a>>,
    /// Of this site, by interface id.
    pub(super) ports: BTreeMap<&'a str, Port<'a>>,
    pub(super) gateway: Option<&'a InternetGateway>,
    pub(super) tables: Vec<&'a RouteTable>,
}

impl<'a> Network<'a> {
    /// Reads one VPC's part of the records; what cannot be read is left out and told in `pending`.
    pub(super) fn new(
        records: &'a Records,
        vpc: &'a Vpc,
        (site, region): (&str, &'a str),
        pending: &mut Vec<String>,
    ) -> Option<Self> {
        let block = told(vpc.cidr_block.parse(), &vpc.vpc_id, pending)?;
        let mut subnets = Vec::new();
        for record in records.subnets.iter().filter(|s| s.vpc_id == vpc.vpc_id) {
            if let Some(block) = told(record.cidr_block.parse(), &record.subnet_id, pending) {
                subnets.push(PlacedSubnet { record, block, site: record.site(region) });
            }
        }
        let mut ports = BTreeMap::new();
        for record in records.interfaces.iter().filter(|i| i.vpc_id == vpc.vpc_id) {
            let subnet = subnets.iter().find(|s| s.record.subnet_id == record.subnet_id && s.site == site);
            let (Some(subnet), Some(owner)) = (subnet, owner(records, record)) else { continue };
            let id = record.network_interface_id.as_str();
            let Some(port) = told(port(record, owner, *subnet), id, pending) else { continue };
            // Never a place of this machine's own for programs that nobody vouches for.
            if let Owner::Instance { instance, ids: None, .. } = owner
                && instance.role == InstanceRole::Worker
            {
                pending.push(format!("{}: has no ids", instance.instance_id));
                continue;
            }
            ports.insert(id, port);
        }
        Some(Self {
            vpc,
            block,
            subnets,
            ports,
            gateway: records.internet_gateways.iter().find(|g| g.vpc_id.as_deref() == Some(&vpc.vpc_id)),
            tables: records.route_tables.iter().filter(|t| t.vpc_id == vpc.vpc_id).collect(),
        })
    }

    /// The table a subnet uses: its own, or the VPC's main one.
    pub(super) fn table_of(&self, subnet: &Subnet) -> Option<&'a RouteTable> {
        let own = |table: &&&RouteTable| table.associations.iter().any(|a| a.subnet_id == subnet.subnet_id);
        let main = |table: &&&RouteTable| table.main_association_id.is_some();
        self.tables.iter().find(own).or_else(|| self.tables.iter().find(main)).copied()
    }

    /// Sites other than `site` that have a subnet.
    pub(super) fn other_sites(&self, site: &str) -> Vec<&'a str> {
        let mut sites: Vec<_> = self.subnets.iter().map(|s| s.site).filter(|s| *s != site).collect();
        sites.sort_unstable();
        sites.dedup();
        sites
    }
}

fn told<T, E: std::fmt::Display>(result: Result<T, E>, id: &str, pending: &mut Vec<String>) -> Option<T> {
    result.map_err(|error| pending.push(format!("{id}: {error}"))).ok()
}

fn owner<'a>(records: &'a Records, interface: &NetworkInterface) -> Option<Owner<'a>> {
    if let Some(attachment) = &interface.attachment {
        let instance = records.instances.iter().find(|i| i.instance_id == attachment.instance_id)?;
        // One that shuts down still speaks: its pods say farewell, and its node tells the API how they ended.
        let runs = instance.wanted == WantedInstanceState::Running || records.alive.contains(&instance.instance_id);
        let ids = records.ids.get(&instance.instance_id).copied();
        return runs.then_some(Owner::Instance { instance, index: attachment.device_index, ids });
    }
    let of = |nat: &&NatGateway| {
        nat.network_interface_id == interface.network_interface_id && nat.state == NatGatewayState::Available
    };
    records.nat_gateways.iter().find(of).map(Owner::Nat)
}

fn port<'a>(record: &'a NetworkInterface, owner: Owner<'a>, subnet: PlacedSubnet<'a>) -> Result<Port<'a>, String> {
    let address = |text: &String| text.parse::<Ipv4Addr>().map_err(|e| format!("{text:?}: {e}"));
    let secondary = record.secondary_private_ips.iter().map(address).collect::<Result<_, _>>()?;
    let mac = record.mac_address.parse::<Mac>().map_err(|e| e.to_string())?;
    Ok(Port { record, owner, subnet, address: address(&record.private_ip)?, secondary, mac })
}
