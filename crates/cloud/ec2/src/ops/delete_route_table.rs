use eksile_aws::{Ask, Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use crate::asked;
use crate::records::RouteTable;
use crate::resource::{dependency_violation, find};
use crate::shown::Done;

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteRouteTable.html>
#[derive(Shape)]
pub(super) struct DeleteRouteTable {
    route_table_id: String,
}

impl Command for DeleteRouteTable {
    type Output = Done;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![asked::ask::<RouteTable>(call, state, Some(&self.route_table_id))?])
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<Done, Fault> {
        let table: RouteTable = find(Reads::of(txn), &call.scope, &self.route_table_id)?;
        if table.main_association_id.is_some() || !table.associations.is_empty() {
            return Err(dependency_violation("routeTable", &table.route_table_id));
        }
        txn.delete_record::<RouteTable>(&call.scope, &table.route_table_id);
        Ok(Done::TRUE)
    }
}
