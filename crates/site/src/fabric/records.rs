//! What the plan is made from: the records of networks, as the site's replica has them.

use std::collections::{BTreeMap, BTreeSet};

use eksile_ec2::records::{
    Address, Instance, InternetGateway, NatGateway, NetworkInterface, RouteTable, SecurityGroup, Subnet, Vpc,
};
use eksile_linux::IdRange;
use eksile_store::{Record, View};

/// Every record that shapes the network.
#[derive(Debug, Clone, Default)]
pub struct Records {
    /// VPCs.
    pub vpcs: Vec<Vpc>,
    /// Subnets, of the Zones and of Outposts.
    pub subnets: Vec<Subnet>,
    /// Route tables.
    pub route_tables: Vec<RouteTable>,
    /// Internet gateways.
    pub internet_gateways: Vec<InternetGateway>,
    /// NAT gateways.
    pub nat_gateways: Vec<NatGateway>,
    /// Elastic addresses.
    pub addresses: Vec<Address>,
    /// Security groups.
    pub security_groups: Vec<SecurityGroup>,
    /// Interfaces, wherever they are.
    pub interfaces: Vec<NetworkInterface>,
    /// The instances that this site hosts.
    pub instances: Vec<Instance>,
    /// Ids of instances whose first process runs: wanted or not, they keep their interfaces until it has ended.
    pub alive: BTreeSet<String>,
    /// The ids of those instances that have processes of their own.
    pub ids: BTreeMap<String, IdRange>,
    /// Some records cannot be read, so that what none of these names may be wanted all the same.
    pub incomplete: bool,
}

impl Records {
    /// Those of a view that can be read, with the instances that are `alive` and the ids that they have; and why the others
    /// cannot.
    #[must_use]
    pub fn read(view: &View, alive: BTreeSet<String>, ids: BTreeMap<String, IdRange>) -> (Self, Vec<String>) {
        let mut failed = Vec::new();
        let mut records = Self {
            vpcs: all(view, &mut failed),
            subnets: all(view, &mut failed),
            route_tables: all(view, &mut failed),
            internet_gateways: all(view, &mut failed),
            nat_gateways: all(view, &mut failed),
            addresses: all(view, &mut failed),
            security_groups: all(view, &mut failed),
            interfaces: all(view, &mut failed),
            instances: all(view, &mut failed),
            alive,
            ids,
            incomplete: false,
        };
        records.incomplete = !failed.is_empty();
        (records, failed)
    }
}

fn all<R: Record>(view: &View, failed: &mut Vec<String>) -> Vec<R> {
    let mut read = Vec::new();
    for each in view.each_record::<R>() {
        match each {
            Ok((_, record)) => read.push(record),
            Err(error) => {
                failed.push(format!("{error}: it is left out, and nothing is taken away until it can be read"));
            }
        }
    }
    read
}
