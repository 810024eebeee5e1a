use eksile_aws::{Call, Command, Fault, Shape};
use eksile_store::Txn;

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
