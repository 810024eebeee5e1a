use eksile_aws::{Ask, Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use crate::asked;
use crate::records::Address;
use crate::resource::missing;
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

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        let addresses = state.records::<Address>(&call.scope)?;
        let found = addresses.iter().find(|a| a.association_id.is_some() && a.association_id == self.association_id);
        Ok(vec![match found {
            Some(address) => asked::of(call, address),
            None => asked::ask::<Address>(call, state, None)?,
        }])
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
