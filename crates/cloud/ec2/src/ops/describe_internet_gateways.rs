use eksile_aws::inputs::Filter;
use eksile_aws::{Ask, Call, Fault, Lookup, Reads, Shape, filters};
use eksile_store::View;

use crate::records::InternetGateway;
use crate::resource::select;
use crate::shown::InternetGatewayShown;

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInternetGateways.html>
#[derive(Shape)]
pub(super) struct DescribeInternetGateways {
    #[shape(input = "InternetGatewayId")]
    internet_gateway_ids: Vec<String>,
    #[shape(input = "Filter")]
    filters: Vec<Filter>,
}

/// Gateways by id.
#[derive(Shape)]
pub(super) struct Output {
    internet_gateway_set: Vec<InternetGatewayShown>,
}

filters! {
    const NAMES, fn values(call: &Call<'_>, gateway: &InternetGateway) {
        "internet-gateway-id" => gateway.internet_gateway_id.clone(),
        "owner-id" => call.scope.account.clone(),
        "attachment.vpc-id" => gateway.vpc_id.clone(),
        "attachment.state" => gateway.vpc_id.as_ref().map(|_| "available".to_owned()),
    }
}

impl Lookup for DescribeInternetGateways {
    type Output = Output;

    fn asks(&self, _call: &Call<'_>, _state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![Ask::any()])
    }

    fn run(self, call: &Call<'_>, view: &View) -> Result<Output, Fault> {
        let Self { internet_gateway_ids: ids, filters } = self;
        let gateways = select(Reads::of(view), &call.scope, &ids, &filters, NAMES, |g, name| values(call, g, name))?;
        Ok(Output { internet_gateway_set: gateways.iter().map(|g| InternetGatewayShown::of(call, g)).collect() })
    }
}
