use eksile_aws::{Ask, Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use crate::asked;
use crate::records::{Address, InternetGateway, NetworkInterface, Vpc};
use crate::resource::find;
use crate::shown::Done;

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DetachInternetGateway.html>
#[derive(Shape)]
pub(super) struct DetachInternetGateway {
    internet_gateway_id: String,
    vpc_id: String,
}

impl Command for DetachInternetGateway {
    type Output = Done;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![
            asked::ask::<InternetGateway>(call, state, Some(&self.internet_gateway_id))?,
            asked::ask::<Vpc>(call, state, Some(&self.vpc_id))?,
        ])
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<Done, Fault> {
        let mut gateway: InternetGateway = find(Reads::of(txn), &call.scope, &self.internet_gateway_id)?;
        let vpc: Vpc = find(Reads::of(txn), &call.scope, &self.vpc_id)?;
        if gateway.vpc_id.as_ref() != Some(&vpc.vpc_id) {
            let message = format!("resource {} is not attached to network {}", self.internet_gateway_id, vpc.vpc_id);
            return Err(Fault::client("Gateway.NotAttached", 400, message));
        }
        if has_public_addresses(call, txn, &vpc)? {
            let message = format!(
                "Network {} has some mapped public address(es). Please unmap those public address(es) before \
                 detaching the gateway.",
                vpc.vpc_id
            );
            return Err(Fault::client("DependencyViolation", 400, message));
        }
        gateway.vpc_id = None;
        txn.put_record(&call.scope, &gateway)?;
        Ok(Done::TRUE)
    }
}

fn has_public_addresses(call: &Call<'_>, txn: &Txn<'_>, vpc: &Vpc) -> Result<bool, Fault> {
    let interfaces = txn.records::<NetworkInterface>(&call.scope)?;
    let here = |id: &String| interfaces.iter().any(|i| i.network_interface_id == *id && i.vpc_id == vpc.vpc_id);
    let addresses = txn.records::<Address>(&call.scope)?;
    Ok(addresses.iter().any(|address| address.network_interface_id.as_ref().is_some_and(here)))
}
