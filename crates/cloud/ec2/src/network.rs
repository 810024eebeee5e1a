//! All that one account has of networks and instances in one Region, read together.

use std::collections::BTreeMap;

use eksile_aws::Reads;
use eksile_store::{RecordError, Scope};

use crate::block::Block;
use crate::records::{
    Instance, InstanceState, InternetGateway, NatGateway, NatGatewayState, NetworkInterface, ObservedInstance,
    RouteTable, RouteTarget, SecurityGroup, Subnet, Vpc, WantedInstanceState,
};
use crate::subnet_space::SubnetSpace;

/// A consistent copy of a scope's network records, for decisions that look at many of them.
#[derive(Debug, Clone, Default)]
pub struct Network {
    /// By id.
    pub vpcs: BTreeMap<String, Vpc>,
    /// By id.
    pub subnets: BTreeMap<String, Subnet>,
    /// By id.
    pub route_tables: BTreeMap<String, RouteTable>,
    /// By id.
    pub internet_gateways: BTreeMap<String, InternetGateway>,
    /// By id.
    pub nat_gateways: BTreeMap<String, NatGateway>,
    /// By id.
    pub security_groups: BTreeMap<String, SecurityGroup>,
    /// By id.
    pub interfaces: BTreeMap<String, NetworkInterface>,
    /// By id.
    pub instances: BTreeMap<String, Instance>,
    /// What sites saw, by instance id.
    pub observed: BTreeMap<String, ObservedInstance>,
}

fn by_id<R: eksile_store::Record>(reads: Reads<'_>, scope: &Scope) -> Result<BTreeMap<String, R>, RecordError> {
    Ok(reads.records::<R>(scope)?.into_iter().map(|record| (record.id().to_owned(), record)).collect())
}

impl Network {
    /// Reads what a view or a transaction sees.
    ///
    /// # Errors
    /// A stored record cannot be read.
    pub fn read(reads: Reads<'_>, scope: &Scope) -> Result<Self, RecordError> {
        let instances: BTreeMap<String, Instance> = by_id(reads, scope)?;
        let mut observed = BTreeMap::new();
        for instance in instances.values() {
            let seen = reads.record::<ObservedInstance>(&Scope::observed(&instance.site), &instance.instance_id)?;
            observed.extend(seen.map(|seen| (instance.instance_id.clone(), seen)));
        }
        Ok(Self {
            vpcs: by_id(reads, scope)?,
            subnets: by_id(reads, scope)?,
            route_tables: by_id(reads, scope)?,
            internet_gateways: by_id(reads, scope)?,
            nat_gateways: by_id(reads, scope)?,
            security_groups: by_id(reads, scope)?,
            interfaces: by_id(reads, scope)?,
            instances,
            observed,
        })
    }

    /// An instance's state as `DescribeInstances` shows it.
    #[must_use]
    pub fn state(&self, instance: &Instance) -> InstanceState {
        instance.state(self.observed.get(&instance.instance_id))
    }

    /// The addresses of a subnet; `None` when there is no such subnet.
    #[must_use]
    pub fn space(&self, subnet_id: &str) -> Option<SubnetSpace> {
        let block = self.subnets.get(subnet_id)?.cidr_block.parse().ok()?;
        Some(SubnetSpace::new(block, self.interfaces.values().filter(|i| i.subnet_id == subnet_id)))
    }

    /// How many instances of a type a site runs or still holds the place of.
    #[must_use]
    pub fn slots_taken(&self, site: &str, instance_type: &str) -> u32 {
        let here = |i: &&Instance| i.site == site && i.instance_type == instance_type;
        let holds = |i: &&Instance| self.state(i) != InstanceState::Terminated;
        u32::try_from(self.instances.values().filter(here).filter(holds).count()).unwrap_or(u32::MAX)
    }

    /// The route table that holds for a subnet: its own, else its VPC's main one.
    #[must_use]
    pub fn route_table(&self, subnet: &Subnet) -> Option<&RouteTable> {
        let own = |table: &&RouteTable| table.associations.iter().any(|a| a.subnet_id == subnet.subnet_id);
        let main = |table: &&RouteTable| table.vpc_id == subnet.vpc_id && table.main_association_id.is_some();
        self.route_tables.values().find(own).or_else(|| self.route_tables.values().find(main))
    }

    /// Whether hosts of a subnet without public addresses reach the internet: by a default route to a NAT gateway
    /// whose own subnet has a default route to the VPC's internet gateway.
    #[must_use]
    pub fn has_way_out(&self, subnet: &Subnet) -> bool {
        let Some(RouteTarget::NatGateway(id)) = self.default_route(subnet) else { return false };
        let Some(nat) = self.nat_gateways.get(id).filter(|nat| nat.state == NatGatewayState::Available) else {
            return false;
        };
        let Some(home) = self.subnets.get(&nat.subnet_id) else { return false };
        let Some(RouteTarget::InternetGateway(id)) = self.default_route(home) else { return false };
        self.internet_gateways.get(id).is_some_and(|gateway| gateway.vpc_id.as_ref() == Some(&home.vpc_id))
    }

    fn default_route(&self, subnet: &Subnet) -> Option<&RouteTarget> {
        let routes = &self.route_table(subnet)?.routes;
        let all = |text: &str| text.parse::<Block>() == Ok(Block::ALL);
        routes.iter().find(|route| all(&route.destination_cidr_block)).map(|route| &route.target)
    }
}

impl Instance {
    /// State as `DescribeInstances` shows it: what the site saw, read in the light of what is wanted.
    #[must_use]
    pub fn state(&self, observed: Option<&ObservedInstance>) -> InstanceState {
        let seen = observed.map_or(InstanceState::Pending, |observed| observed.state);
        match (self.wanted, seen) {
            (_, InstanceState::Terminated) => InstanceState::Terminated,
            (WantedInstanceState::Terminated, _) => InstanceState::ShuttingDown,
            (WantedInstanceState::Stopped, InstanceState::Stopped) => InstanceState::Stopped,
            (WantedInstanceState::Stopped, _) => InstanceState::Stopping,
            (WantedInstanceState::Running, InstanceState::Stopped | InstanceState::Stopping) => InstanceState::Pending,
            (WantedInstanceState::Running, seen) => seen,
        }
    }
}

impl InstanceState {
    /// Low byte of the state's code and its name (EC2 API reference, `InstanceState`).
    #[must_use]
    pub fn code_and_name(self) -> (i32, &'static str) {
        match self {
            Self::Pending => (0, "pending"),
            Self::Running => (16, "running"),
            Self::ShuttingDown => (32, "shutting-down"),
            Self::Terminated => (48, "terminated"),
            Self::Stopping => (64, "stopping"),
            Self::Stopped => (80, "stopped"),
        }
    }
}
