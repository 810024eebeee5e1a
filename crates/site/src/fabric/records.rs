//! What the plan is made from: the records of networks, as the site's replica has them.

use std::collections::{BTreeMap, BTreeSet};

use eksile_ec2::records::{
    Address, Instance, InternetGateway, NatGateway, NetworkInterface, RouteTable, SecurityGroup, Subnet, Vpc,
};
use eksile_linux::IdRange;
use eksile_store::{Record, RecordError, View};

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
}

impl Records {
    /// Those of a view, with the instances that are `alive` and the ids that they have.
    ///
    /// # Errors
    /// When a stored record cannot be read.
    pub fn read(view: &View, alive: BTreeSet<String>, ids: BTreeMap<String, IdRange>) -> Result<Self, RecordError> {
        Ok(Self {
            vpcs: all(view)?,
            subnets: all(view)?,
            route_tables: all(view)?,
            internet_gateways: all(view)?,
            nat_gateways: all(view)?,
            addresses: all(view)?,
            security_groups: all(view)?,
            interfaces: all(view)?,
            instances: all(view)?,
            alive,
            ids,
        })
    }
}

fn all<R: Record>(view: &View) -> Result<Vec<R>, RecordError> {
    Ok(view.all_records::<R>()?.into_iter().map(|(_, record)| record).collect())
}
