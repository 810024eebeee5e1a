use std::collections::BTreeMap;

use eksile_aws::{Ask, Call, Fault, Lookup, Reads, Shape};
use eksile_store::View;

use crate::records::Outpost;

/// <https://docs.aws.amazon.com/outposts/latest/APIReference/API_GetOutpost.html>
#[derive(Shape)]
pub(super) struct GetOutpost {
    outpost_id: String,
}

/// The Outpost.
#[derive(Shape)]
pub(super) struct Output {
    outpost: OutpostShown,
}

/// `Outpost` of the Outposts API.
#[derive(Shape)]
pub(super) struct OutpostShown {
    outpost_id: String,
    owner_id: String,
    outpost_arn: String,
    site_id: String,
    site_arn: String,
    name: String,
    description: String,
    life_cycle_status: String,
    availability_zone: String,
    availability_zone_id: String,
    supported_hardware_type: String,
    tags: BTreeMap<String, String>,
}

impl OutpostShown {
    pub(super) fn of(call: &Call<'_>, outpost: &Outpost) -> Self {
        Self {
            outpost_id: outpost.outpost_id.clone(),
            owner_id: outpost.owner_id.clone(),
            outpost_arn: outpost.outpost_arn.clone(),
            site_id: outpost.site_id.clone(),
            site_arn: call.arn("outposts", &format!("site/{}", outpost.site_id)),
            name: outpost.name.clone(),
            description: outpost.description.clone(),
            life_cycle_status: "ACTIVE".to_owned(),
            availability_zone: outpost.availability_zone.clone(),
            availability_zone_id: outpost.availability_zone_id.clone(),
            supported_hardware_type: outpost.supported_hardware_type.clone(),
            tags: outpost.tags.clone(),
        }
    }
}

/// The Outpost that a caller named by id or ARN.
pub(super) fn named(call: &Call<'_>, view: &View, name: &str) -> Result<Outpost, Fault> {
    let arn_stem = call.arn("outposts", "outpost/");
    let id = name.strip_prefix(&arn_stem).unwrap_or(name);
    let hex = |digits: &str| digits.len() == 17 && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let foreign = name.starts_with("arn:");
    if !foreign && !id.strip_prefix("op-").is_some_and(hex) {
        let message =
            format!("1 validation error detected: Value '{name}' at 'outpostId' failed to satisfy constraint");
        return Err(Fault::client("ValidationException", 400, message));
    }
    let found = view.record::<Outpost>(&call.scope, id)?;
    found.ok_or_else(|| Fault::client("NotFoundException", 404, format!("Unable to find outpost with id {name}")))
}

/// About the Outpost of an id or an ARN.
pub(super) fn ask(call: &Call<'_>, state: Reads<'_>, name: &str) -> Result<Ask, Fault> {
    let stem = call.arn("outposts", "outpost/");
    let arn = if name.starts_with("arn:") { name.to_owned() } else { format!("{stem}{name}") };
    let found = match arn.strip_prefix(&stem) {
        Some(id) => state.record::<Outpost>(&call.scope, id)?,
        None => None,
    };
    Ok(match found {
        Some(outpost) => Ask::to(arn).tagged(&outpost.tags),
        None => Ask::to(arn),
    })
}

impl Lookup for GetOutpost {
    type Output = Output;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![ask(call, state, &self.outpost_id)?])
    }

    fn run(self, call: &Call<'_>, view: &View) -> Result<Output, Fault> {
        let outpost = named(call, view, &self.outpost_id)?;
        Ok(Output { outpost: OutpostShown::of(call, &outpost) })
    }
}
