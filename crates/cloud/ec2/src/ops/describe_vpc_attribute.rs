use eksile_aws::{Ask, Call, Fault, Lookup, Reads, Shape};
use eksile_store::View;

use crate::asked;
use crate::records::Vpc;
use crate::resource::{find, invalid_value};
use crate::shown::AttributeBooleanValue;

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVpcAttribute.html>
#[derive(Shape)]
pub(super) struct DescribeVpcAttribute {
    vpc_id: String,
    attribute: String,
}

/// The attribute asked for.
#[derive(Shape)]
pub(super) struct Output {
    vpc_id: String,
    enable_dns_support: Option<AttributeBooleanValue>,
    enable_dns_hostnames: Option<AttributeBooleanValue>,
    enable_network_address_usage_metrics: Option<AttributeBooleanValue>,
}

impl Lookup for DescribeVpcAttribute {
    type Output = Output;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![asked::ask::<Vpc>(call, state, Some(&self.vpc_id))?])
    }

    fn run(self, call: &Call<'_>, view: &View) -> Result<Output, Fault> {
        let vpc: Vpc = find(Reads::of(view), &call.scope, &self.vpc_id)?;
        let asked =
            |name: &str, value: bool| (self.attribute == name).then_some(AttributeBooleanValue { value: Some(value) });
        let output = Output {
            enable_dns_support: asked("enableDnsSupport", vpc.enable_dns_support),
            enable_dns_hostnames: asked("enableDnsHostnames", vpc.enable_dns_hostnames),
            enable_network_address_usage_metrics: asked("enableNetworkAddressUsageMetrics", false),
            vpc_id: vpc.vpc_id,
        };
        let shown =
            [output.enable_dns_support, output.enable_dns_hostnames, output.enable_network_address_usage_metrics];
        if shown.iter().all(Option::is_none) {
            let attribute = &self.attribute;
            let message = format!("Value ({attribute}) for parameter attribute is invalid. Unknown attribute.");
            return Err(invalid_value(message));
        }
        Ok(output)
    }
}
