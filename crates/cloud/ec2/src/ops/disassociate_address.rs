use eksile_aws::{Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use crate::records::Address;
use crate::resource::{self, missing};
use crate::shown::Done;

/// Only NAT gateways hold addresses here (`AssociateAddress` is not built), and those keep theirs until they are
/// deleted; Terraform asks nonetheless, and goes on when the association is not there any more.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DisassociateAddress.html>
#[derive(Shape)]
pub(super) struct DisassociateAddress {
    association_id: Option<String>,
}

impl Command for DisassociateAddress {
    type Output = Done;

    fn resources(&self, call: &Call<'_>, _state: Reads<'_>) -> Vec<String> {
        vec![resource::arn::<Address>(call, None)]
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<Done, Fault> {
        let id = self.association_id.ok_or_else(|| missing("associationId"))?;
        let addresses = txn.records::<Address>(&call.scope)?;
        if addresses.iter().any(|address| address.association_id.as_ref() == Some(&id)) {
            let message = "You do not have permission to access the specified resource.";
            return Err(Fault::client("AuthFailure", 400, message));
        }
        let message = format!("The association ID '{id}' does not exist");
        Err(Fault::client("InvalidAssociationID.NotFound", 400, message))
    }
}
