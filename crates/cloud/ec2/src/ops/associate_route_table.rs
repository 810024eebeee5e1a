use eksile_aws::{Ask, Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use crate::asked;
use crate::records::{Association, RouteTable, Subnet};
use crate::resource::{find, invalid_value, missing};
use crate::shown::AssociationState;

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AssociateRouteTable.html>
#[derive(Shape)]
pub(super) struct AssociateRouteTable {
    route_table_id: String,
    subnet_id: Option<String>,
}

/// The association.
#[derive(Shape)]
pub(super) struct Output {
    association_id: String,
    association_state: AssociationState,
}

impl Command for AssociateRouteTable {
    type Output = Output;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![
            asked::ask::<RouteTable>(call, state, Some(&self.route_table_id))?,
            asked::ask::<Subnet>(call, state, self.subnet_id.as_deref())?,
        ])
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<Output, Fault> {
        let mut table: RouteTable = find(Reads::of(txn), &call.scope, &self.route_table_id)?;
        let subnet_id = self.subnet_id.ok_or_else(|| missing("subnetId"))?;
        let subnet: Subnet = find(Reads::of(txn), &call.scope, &subnet_id)?;
        let id = &table.route_table_id;
        if subnet.vpc_id != table.vpc_id {
            let message = format!("Route table {id} and subnet {subnet_id} belong to different networks");
            return Err(invalid_value(message));
        }
        let association_state = AssociationState::associated();
        for other in txn.records::<RouteTable>(&call.scope)? {
            let Some(there) = other.associations.iter().find(|a| a.subnet_id == subnet_id) else { continue };
            if other.route_table_id == *id {
                return Ok(Output { association_id: there.association_id.clone(), association_state });
            }
            let message =
                format!("the specified association for route table {id} conflicts with an existing association");
            return Err(Fault::client("Resource.AlreadyAssociated", 400, message));
        }
        let association_id = call.id("rtbassoc");
        table.associations.push(Association { association_id: association_id.clone(), subnet_id });
        txn.put_record(&call.scope, &table)?;
        Ok(Output { association_id, association_state })
    }
}
