use eksile_aws::{Ask, Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use crate::asked;
use crate::records::Vpc;
use crate::resource::{find, missing};
use crate::shown::{AttributeBooleanValue, Done};

/// One attribute per call.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyVpcAttribute.html>
#[derive(Shape)]
pub(super) struct ModifyVpcAttribute {
    vpc_id: String,
    enable_dns_support: Option<AttributeBooleanValue>,
    enable_dns_hostnames: Option<AttributeBooleanValue>,
    enable_network_address_usage_metrics: Option<AttributeBooleanValue>,
}

impl Command for ModifyVpcAttribute {
    type Output = Done;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![asked::ask::<Vpc>(call, state, Some(&self.vpc_id))?])
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<Done, Fault> {
        let mut vpc: Vpc = find(Reads::of(txn), &call.scope, &self.vpc_id)?;
        if self.enable_network_address_usage_metrics.and_then(|a| a.value) == Some(true) {
            return Err(Fault::not_implemented("EnableNetworkAddressUsageMetrics"));
        }
        match (self.enable_dns_support, self.enable_dns_hostnames) {
            (Some(support), None) => vpc.enable_dns_support = support.value.ok_or_else(|| missing("value"))?,
            (None, Some(names)) => vpc.enable_dns_hostnames = names.value.ok_or_else(|| missing("value"))?,
            (None, None) if self.enable_network_address_usage_metrics.is_some() => {}
            (None, None) => return Err(missing("attribute")),
            (Some(_), Some(_)) => {
                let message = "Fields for multiple attribute types specified: enableDnsSupport, enableDnsHostnames";
                return Err(Fault::client("InvalidParameterCombination", 400, message));
            }
        }
        txn.put_record(&call.scope, &vpc)?;
        Ok(Done::TRUE)
    }
}
