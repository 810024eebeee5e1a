use eksile_aws::inputs::{Filter, filtered};
use eksile_aws::{Ask, Call, Fault, Lookup, Reads, Shape, filters};
use eksile_store::View;

use crate::resource::invalid_value;
use crate::zones::regions;

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeRegions.html>
#[derive(Shape)]
pub(super) struct DescribeRegions {
    #[shape(input = "RegionName")]
    region_names: Vec<String>,
    all_regions: Option<bool>,
    #[shape(input = "Filter")]
    filters: Vec<Filter>,
}

/// Regions by name.
#[derive(Shape)]
pub(super) struct Output {
    region_info: Vec<RegionShown>,
}

/// `Region` of the EC2 API.
#[derive(Shape)]
pub(super) struct RegionShown {
    region_name: String,
    region_endpoint: String,
    opt_in_status: String,
}

filters! {
    const NAMES, fn values(region: &RegionShown) {
        "region-name" => region.region_name.clone(),
        "endpoint" => region.region_endpoint.clone(),
        "opt-in-status" => region.opt_in_status.clone(),
    }
}

impl Lookup for DescribeRegions {
    type Output = Output;

    fn asks(&self, _call: &Call<'_>, _state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![Ask::any()])
    }

    fn run(self, _call: &Call<'_>, _view: &View) -> Result<Output, Fault> {
        let shown = |(name, must_opt_in): (&str, bool)| RegionShown {
            region_name: name.to_owned(),
            region_endpoint: format!("ec2.{name}.amazonaws.com"),
            opt_in_status: if must_opt_in { "not-opted-in" } else { "opt-in-not-required" }.to_owned(),
        };
        let mut all: Vec<RegionShown> = regions().map(shown).collect();
        if let Some(unknown) =
            self.region_names.iter().find(|name| !all.iter().any(|region| region.region_name == **name))
        {
            return Err(invalid_value(format!("Invalid region: [{unknown}]")));
        }
        let wanted = |region: &RegionShown| match self.region_names.as_slice() {
            [] => self.all_regions == Some(true) || region.opt_in_status != "not-opted-in",
            names => names.contains(&region.region_name),
        };
        all.retain(wanted);
        Ok(Output { region_info: filtered(all, &self.filters, |name| NAMES.contains(&name), values)? })
    }
}
