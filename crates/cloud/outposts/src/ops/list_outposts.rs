use eksile_aws::{Ask, Call, Fault, Lookup, Reads, Shape};
use eksile_store::View;

use super::get_outpost::OutpostShown;
use crate::records::Outpost;

/// <https://docs.aws.amazon.com/outposts/latest/APIReference/API_ListOutposts.html>
#[derive(Shape)]
pub(super) struct ListOutposts {
    life_cycle_status_filter: Vec<String>,
    availability_zone_filter: Vec<String>,
    availability_zone_id_filter: Vec<String>,
}

/// Outposts by id.
#[derive(Shape)]
pub(super) struct Output {
    outposts: Vec<OutpostShown>,
}

fn passes(filter: &[String], value: &str) -> bool {
    filter.is_empty() || filter.iter().any(|wanted| wanted == value)
}

impl Lookup for ListOutposts {
    type Output = Output;

    fn asks(&self, _call: &Call<'_>, _state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![Ask::any()])
    }

    fn run(self, call: &Call<'_>, view: &View) -> Result<Output, Fault> {
        let mut outposts = view.records::<Outpost>(&call.scope)?;
        outposts.retain(|outpost| {
            passes(&self.life_cycle_status_filter, "ACTIVE")
                && passes(&self.availability_zone_filter, &outpost.availability_zone)
                && passes(&self.availability_zone_id_filter, &outpost.availability_zone_id)
        });
        Ok(Output { outposts: outposts.iter().map(|outpost| OutpostShown::of(call, outpost)).collect() })
    }
}
