use eksile_aws::{Ask, Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use crate::asked;
use crate::records::InternetGateway;
use crate::resource::{dependency_violation, find};
use crate::shown::Done;

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteInternetGateway.html>
#[derive(Shape)]
pub(super) struct DeleteInternetGateway {
    internet_gateway_id: String,
}

impl Command for DeleteInternetGateway {
    type Output = Done;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![asked::ask::<InternetGateway>(call, state, Some(&self.internet_gateway_id))?])
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
