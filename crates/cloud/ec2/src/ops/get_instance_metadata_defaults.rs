use eksile_aws::{Ask, Call, Fault, Lookup, Reads, Shape};
use eksile_store::View;

use crate::records::MetadataDefaults;
use crate::shown::MetadataDefaultsShown;

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_GetInstanceMetadataDefaults.html>
#[derive(Shape)]
pub(super) struct GetInstanceMetadataDefaults {}

/// The account's preferences in the Region.
#[derive(Shape)]
pub(super) struct Output {
    account_level: MetadataDefaultsShown,
}

impl Lookup for GetInstanceMetadataDefaults {
    type Output = Output;

    fn asks(&self, _call: &Call<'_>, _state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![Ask::any()])
    }

    fn run(self, call: &Call<'_>, view: &View) -> Result<Output, Fault> {
        let known = view.record::<MetadataDefaults>(&call.scope, MetadataDefaults::ID)?;
        Ok(Output { account_level: known.unwrap_or_default().into() })
    }
}
