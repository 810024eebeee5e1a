use eksile_aws::{Ask, Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use crate::asked;
use crate::network::Network;
use crate::records::{RouteTable, SecurityGroup, Vpc};
use crate::resource::{dependency_violation, find};
use crate::shown::Done;

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteVpc.html>
#[derive(Shape)]
pub(super) struct DeleteVpc {
    vpc_id: String,
}

impl Command for DeleteVpc {
    type Output = Done;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![asked::ask::<Vpc>(call, state, Some(&self.vpc_id))?])
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<Done, Fault> {
        let vpc: Vpc = find(Reads::of(txn), &call.scope, &self.vpc_id)?;
        let network = Network::read(Reads::of(txn), &call.scope)?;
        if is_used(&vpc, &network) {
            return Err(dependency_violation("vpc", &vpc.vpc_id));
        }
        for table in network.route_tables.values().filter(|table| table.vpc_id == vpc.vpc_id) {
            txn.delete_record::<RouteTable>(&call.scope, &table.route_table_id);
        }
        for group in network.security_groups.values().filter(|group| group.vpc_id == vpc.vpc_id) {
            txn.delete_record::<SecurityGroup>(&call.scope, &group.group_id);
        }
        txn.delete_record::<Vpc>(&call.scope, &vpc.vpc_id);
        Ok(Done::TRUE)
    }
}

/// By anything but what came with it: the main route table and the default security group.
fn is_used(vpc: &Vpc, network: &Network) -> bool {
    let here = |vpc_id: &String| *vpc_id == vpc.vpc_id;
    network.subnets.values().any(|subnet| here(&subnet.vpc_id))
        || network.interfaces.values().any(|interface| here(&interface.vpc_id))
        || network.internet_gateways.values().any(|gateway| gateway.vpc_id.as_ref().is_some_and(here))
        || network.route_tables.values().any(|table| here(&table.vpc_id) && table.main_association_id.is_none())
        || network.security_groups.values().any(|group| here(&group.vpc_id) && group.group_name != "default")
}
