use eksile_aws::inputs::Filter;
use eksile_aws::{Ask, Call, Fault, Lookup, Reads, Shape};
use eksile_store::View;

use crate::records::Vpc;
use crate::resource::select;
use crate::shown::{VPC_FILTERS, VpcShown, vpc_values};

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVpcs.html>
#[derive(Shape)]
pub(super) struct DescribeVpcs {
    #[shape(input = "VpcId")]
    vpc_ids: Vec<String>,
    #[shape(input = "Filter")]
    filters: Vec<Filter>,
}

/// VPCs by id.
#[derive(Shape)]
pub(super) struct Output {
    vpc_set: Vec<VpcShown>,
}

impl Lookup for DescribeVpcs {
    type Output = Output;

    fn asks(&self, _call: &Call<'_>, _state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![Ask::any()])
    }

    fn run(self, call: &Call<'_>, view: &View) -> Result<Output, Fault> {
        let values = |vpc: &Vpc, name: &str| vpc_values(call, vpc, name);
        let vpcs = select::<Vpc>(Reads::of(view), &call.scope, &self.vpc_ids, &self.filters, VPC_FILTERS, values)?;
        Ok(Output { vpc_set: vpcs.iter().map(|vpc| VpcShown::of(call, vpc)).collect() })
    }
}
