use eksile_aws::{Ask, Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use crate::asked;
use crate::records::Address;
use crate::resource::{find, invalid_value, missing};
use crate::shown::Done;

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ReleaseAddress.html>
#[derive(Shape)]
pub(super) struct ReleaseAddress {
    allocation_id: Option<String>,
    public_ip: Option<String>,
    network_border_group: Option<String>,
}

/// Addresses are advertised from the whole Region, the only border group there is.
pub(super) fn border_group(call: &Call<'_>, asked: Option<&str>) -> Result<(), Fault> {
    match asked.filter(|group| *group != call.region) {
        None => Ok(()),
        Some(other) => Err(invalid_value(format!("Value ({other}) for parameter networkBorderGroup is invalid."))),
    }
}

impl Command for ReleaseAddress {
    type Output = Done;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        let id = self.allocation_id.as_deref();
        let Some(public_ip) = self.public_ip.as_ref().filter(|_| id.is_none()) else {
            return Ok(vec![asked::ask::<Address>(call, state, id)?]);
        };
        let addresses = state.records::<Address>(&call.scope)?;
        Ok(vec![match addresses.iter().find(|address| address.public_ip == *public_ip) {
            Some(address) => asked::of(call, address),
            None => asked::ask::<Address>(call, state, None)?,
        }])
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<Done, Fault> {
        let Some(id) = self.allocation_id else {
            let message = "You must specify an allocation id when releasing a VPC elastic IP address";
            return Err(if self.public_ip.is_some() { invalid_value(message) } else { missing("allocationId") });
        };
        border_group(call, self.network_border_group.as_deref())?;
        let address: Address = find(Reads::of(txn), &call.scope, &id)?;
        if address.association_id.is_some() {
            let message = format!("Address {} is in use.", address.public_ip);
            return Err(Fault::client("InvalidIPAddress.InUse", 400, message));
        }
        txn.delete_record::<Address>(&call.scope, &id);
        Ok(Done::TRUE)
    }
}
