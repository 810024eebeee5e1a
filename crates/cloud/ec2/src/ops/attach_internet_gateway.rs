use eksile_aws::{Ask, Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use crate::asked;
use crate::records::{InternetGateway, Vpc};
use crate::resource::{find, invalid_value};
use crate::shown::Done;

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AttachInternetGateway.html>
#[derive(Shape)]
pub(super) struct AttachInternetGateway {
    internet_gateway_id: String,
    vpc_id: String,
}

impl Command for AttachInternetGateway {
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
        if let Some(other) = &gateway.vpc_id {
            let message = format!("resource {} is already attached to network {other}", gateway.internet_gateway_id);
            return Err(Fault::client("Resource.AlreadyAssociated", 400, message));
        }
        let gateways = txn.records::<InternetGateway>(&call.scope)?;
        if gateways.iter().any(|other| other.vpc_id.as_ref() == Some(&vpc.vpc_id)) {
            return Err(invalid_value(format!("Network {} already has an internet gateway attached", vpc.vpc_id)));
        }
        gateway.vpc_id = Some(vpc.vpc_id);
        txn.put_record(&call.scope, &gateway)?;
        Ok(Done::TRUE)
    }
}
