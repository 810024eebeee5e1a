use eksile_aws::{Ask, Call, Fault, Lookup, Reads, Shape};
use eksile_store::View;

use super::get_outpost::{ask, named};

/// <https://docs.aws.amazon.com/outposts/latest/APIReference/API_GetOutpostInstanceTypes.html>
#[derive(Shape)]
pub(super) struct GetOutpostInstanceTypes {
    outpost_id: String,
}

/// The types that the racks have slots for.
#[derive(Shape)]
pub(super) struct Output {
    instance_types: Vec<InstanceTypeItem>,
    outpost_id: String,
    outpost_arn: String,
}

/// One type.
#[derive(Shape)]
pub(super) struct InstanceTypeItem {
    instance_type: String,
}

impl Lookup for GetOutpostInstanceTypes {
    type Output = Output;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![ask(call, state, &self.outpost_id)?])
    }

    fn run(self, call: &Call<'_>, view: &View) -> Result<Output, Fault> {
        let outpost = named(call, view, &self.outpost_id)?;
        let types = outpost.capacity.into_keys().map(|instance_type| InstanceTypeItem { instance_type });
        Ok(Output { instance_types: types.collect(), outpost_id: outpost.outpost_id, outpost_arn: outpost.outpost_arn })
    }
}
