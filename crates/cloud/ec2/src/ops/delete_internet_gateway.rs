use eksile_aws::{Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use crate::records::InternetGateway;
use crate::resource::{self, dependency_violation, find};
use crate::shown::Done;

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteInternetGateway.html>
#[derive(Shape)]
pub(super) struct DeleteInternetGateway {
    internet_gateway_id: String,
}

impl Command for DeleteInternetGateway {
    type Output = Done;

    fn resources(&self, call: &Call<'_>, _state: Reads<'_>) -> Vec<String> {
        vec![resource::arn::<InternetGateway>(call, Some(&self.internet_gateway_id))]
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<Done, Fault> {
        let gateway: InternetGateway = find(Reads::of(txn), &call.scope, &self.internet_gateway_id)?;
        if gateway.vpc_id.is_some() {
            return Err(dependency_violation("internetGateway", &gateway.internet_gateway_id));
        }
        txn.delete_record::<InternetGateway>(&call.scope, &gateway.internet_gateway_id);
        Ok(Done::TRUE)
    }
}
