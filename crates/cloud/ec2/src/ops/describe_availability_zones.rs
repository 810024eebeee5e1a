use eksile_aws::inputs::{Filter, filtered};
use eksile_aws::{Ask, Call, Fault, Lookup, Reads, Shape, filters};
use eksile_store::View;

use crate::resource::invalid_value;
use crate::zones::zones;

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeAvailabilityZones.html>
#[derive(Shape)]
pub(super) struct DescribeAvailabilityZones {
    #[shape(input = "ZoneName")]
    zone_names: Vec<String>,
    #[shape(input = "ZoneId")]
    zone_ids: Vec<String>,
    #[shape(input = "Filter")]
    filters: Vec<Filter>,
    /// Changes nothing: no Zone has to be opted in to.
    all_availability_zones: Option<bool>,
}

/// Zones by name.
#[derive(Shape)]
pub(super) struct Output {
    availability_zone_info: Vec<ZoneShown>,
}

/// `AvailabilityZone` of the EC2 API.
#[derive(Shape)]
pub(super) struct ZoneShown {
    zone_name: String,
    zone_id: String,
    zone_state: String,
    region_name: String,
    opt_in_status: String,
    group_name: String,
    network_border_group: String,
    zone_type: String,
    message_set: Vec<String>,
}

filters! {
    const NAMES, fn values(zone: &ZoneShown) {
        "zone-name" => zone.zone_name.clone(),
        "zone-id" => zone.zone_id.clone(),
        "state" => zone.zone_state.clone(),
        "region-name" => zone.region_name.clone(),
        "opt-in-status" => zone.opt_in_status.clone(),
        "group-name" => zone.group_name.clone(),
        "zone-type" => zone.zone_type.clone(),
        "message" => Vec::new(),
    }
}

impl Lookup for DescribeAvailabilityZones {
    type Output = Output;

    fn asks(&self, _call: &Call<'_>, _state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![Ask::any()])
    }

    fn run(self, call: &Call<'_>, _view: &View) -> Result<Output, Fault> {
        let shown = |zone: crate::zones::Zone| ZoneShown {
            zone_name: zone.name,
            zone_id: zone.id,
            zone_state: "available".to_owned(),
            region_name: call.region.to_owned(),
            opt_in_status: "opt-in-not-required".to_owned(),
            group_name: format!("{}-zg-1", call.region),
            network_border_group: call.region.to_owned(),
            zone_type: "availability-zone".to_owned(),
            message_set: Vec::new(),
        };
        let mut all: Vec<ZoneShown> = zones(call.region).into_iter().map(shown).collect();
        let unknown_name = self.zone_names.iter().find(|name| !all.iter().any(|zone| zone.zone_name == **name));
        let unknown_id = self.zone_ids.iter().find(|id| !all.iter().any(|zone| zone.zone_id == **id));
        if let Some(unknown) = unknown_name.or(unknown_id) {
            return Err(invalid_value(format!("Invalid availability zone: [{unknown}]")));
        }
        all.retain(|zone| self.zone_names.is_empty() || self.zone_names.contains(&zone.zone_name));
        all.retain(|zone| self.zone_ids.is_empty() || self.zone_ids.contains(&zone.zone_id));
        Ok(Output { availability_zone_info: filtered(all, &self.filters, |name| NAMES.contains(&name), values)? })
    }
}
