use eksile_aws::inputs::{TagSpecification, specified_tags};
use eksile_aws::{Ask, Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use crate::asked;
use crate::records::InternetGateway;
use crate::shown::InternetGatewayShown;

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateInternetGateway.html>
#[derive(Shape)]
pub(super) struct CreateInternetGateway {
    #[shape(input = "TagSpecification")]
    tag_specifications: Vec<TagSpecification>,
}

/// The gateway.
#[derive(Shape)]
pub(super) struct Output {
    internet_gateway: InternetGatewayShown,
}

impl Command for CreateInternetGateway {
    type Output = Output;

    fn asks(&self, call: &Call<'_>, _state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(asked::made::<InternetGateway>(call, "CreateInternetGateway", &self.tag_specifications, |ask| ask))
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<Output, Fault> {
        let gateway = InternetGateway {
            internet_gateway_id: call.id("igw"),
            vpc_id: None,
            tags: specified_tags(&self.tag_specifications, "internet-gateway")?,
        };
        txn.put_record(&call.scope, &gateway)?;
        Ok(Output { internet_gateway: InternetGatewayShown::of(call, &gateway) })
    }
}
