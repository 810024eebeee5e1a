use eksile_aws::{Ask, Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use crate::asked;
use crate::records::RouteTable;
use crate::resource::invalid_value;
use crate::shown::Done;

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DisassociateRouteTable.html>
#[derive(Shape)]
pub(super) struct DisassociateRouteTable {
    association_id: String,
}

impl Command for DisassociateRouteTable {
    type Output = Done;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        let id = &self.association_id;
        let tables = state.records::<RouteTable>(&call.scope)?;
        let held = |table: &&RouteTable| table.associations.iter().any(|association| association.association_id == *id);
        match tables.iter().find(|table| table.main_association_id.as_ref() == Some(id) || held(table)) {
            Some(table) => Ok(vec![asked::of(call, table)]),
            None => Ok(vec![asked::ask::<RouteTable>(call, state, None)?]),
        }
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<Done, Fault> {
        let id = self.association_id;
        for mut table in txn.records::<RouteTable>(&call.scope)? {
            if table.main_association_id.as_ref() == Some(&id) {
                return Err(invalid_value(format!("cannot disassociate the main route table association {id}")));
            }
            let before = table.associations.len();
            table.associations.retain(|association| association.association_id != id);
            if table.associations.len() != before {
                txn.put_record(&call.scope, &table)?;
                return Ok(Done::TRUE);
            }
        }
        let message = format!("The association ID '{id}' does not exist");
        Err(Fault::client("InvalidAssociationID.NotFound", 400, message))
    }
}
