use eksile_aws::{Ask, Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use crate::asked;
use crate::records::{Address, NatGateway, NatGatewayState, NetworkInterface};
use crate::resource::find;

/// Its address is free again, but stays allocated; it is listed as deleted for an hour.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteNatGateway.html>
#[derive(Shape)]
pub(super) struct DeleteNatGateway {
    nat_gateway_id: String,
}

/// Which.
#[derive(Shape)]
pub(super) struct Output {
    nat_gateway_id: String,
}

impl Command for DeleteNatGateway {
    type Output = Output;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![asked::ask::<NatGateway>(call, state, Some(&self.nat_gateway_id))?])
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<Output, Fault> {
        let mut gateway: NatGateway = find(Reads::of(txn), &call.scope, &self.nat_gateway_id)?;
        if gateway.state == NatGatewayState::Available {
            if let Some(mut address) = txn.record::<Address>(&call.scope, &gateway.allocation_id)? {
                address.association_id = None;
                address.network_interface_id = None;
                txn.put_record(&call.scope, &address)?;
            }
            txn.delete_record::<NetworkInterface>(&call.scope, &gateway.network_interface_id);
            gateway.state = NatGatewayState::Deleted;
            gateway.delete_time = Some(call.now.as_second());
            txn.put_record(&call.scope, &gateway)?;
        }
        Ok(Output { nat_gateway_id: self.nat_gateway_id })
    }
}
