use eksile_aws::{Ask, Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use crate::asked;
use crate::block::Block;
use crate::records::{RouteTable, RouteTarget};
use crate::resource::{find, invalid_value, missing};
use crate::shown::Done;

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteRoute.html>
#[derive(Shape)]
pub(super) struct DeleteRoute {
    route_table_id: String,
    destination_cidr_block: Option<String>,
}

impl Command for DeleteRoute {
    type Output = Done;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![asked::ask::<RouteTable>(call, state, Some(&self.route_table_id))?])
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<Done, Fault> {
        let mut table: RouteTable = find(Reads::of(txn), &call.scope, &self.route_table_id)?;
        let id = &table.route_table_id;
        let text = self.destination_cidr_block.ok_or_else(|| missing("destinationCidrBlock"))?;
        let block = text.parse::<Block>().map_or(text, |block| block.to_string());
        let Some(at) = table.routes.iter().position(|route| route.destination_cidr_block == block) else {
            let message = format!("no route with destination-cidr-block {block} in route table {id}");
            return Err(Fault::client("InvalidRoute.NotFound", 400, message));
        };
        if table.routes[at].target == RouteTarget::Local {
            return Err(invalid_value(format!("cannot remove local route {block} in route table {id}")));
        }
        table.routes.remove(at);
        txn.put_record(&call.scope, &table)?;
        Ok(Done::TRUE)
    }
}
