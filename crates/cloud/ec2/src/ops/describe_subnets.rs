use eksile_aws::inputs::Filter;
use eksile_aws::{Ask, Call, Fault, Lookup, Reads, Shape};
use eksile_store::View;

use crate::records::{NetworkInterface, Subnet};
use crate::resource::select;
use crate::shown::{SUBNET_FILTERS, SubnetShown, subnet_values};

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSubnets.html>
#[derive(Shape)]
pub(super) struct DescribeSubnets {
    #[shape(input = "SubnetId")]
    subnet_ids: Vec<String>,
    #[shape(input = "Filter")]
    filters: Vec<Filter>,
}

/// Subnets by id.
#[derive(Shape)]
pub(super) struct Output {
    subnet_set: Vec<SubnetShown>,
}

impl Lookup for DescribeSubnets {
    type Output = Output;

    fn asks(&self, _call: &Call<'_>, _state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![Ask::any()])
    }

    fn run(self, call: &Call<'_>, view: &View) -> Result<Output, Fault> {
        let interfaces = view.records::<NetworkInterface>(&call.scope)?;
        let values = |subnet: &Subnet, name: &str| subnet_values(call, subnet, &interfaces, name);
        let subnets =
            select::<Subnet>(Reads::of(view), &call.scope, &self.subnet_ids, &self.filters, SUBNET_FILTERS, values)?;
        Ok(Output { subnet_set: subnets.iter().map(|subnet| SubnetShown::of(call, subnet, &interfaces)).collect() })
    }
}
