use eksile_aws::{Ask, Call, Fault, Lookup, Reads, Shape};
use eksile_store::View;

use crate::asked;
use crate::records::InstanceProfile;
use crate::shapes;

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListInstanceProfiles.html>
#[derive(Shape)]
pub(super) struct ListInstanceProfiles {
    path_prefix: Option<String>,
}

#[derive(Shape)]
pub(super) struct Output {
    instance_profiles: Vec<shapes::InstanceProfile>,
}

impl Lookup for ListInstanceProfiles {
    type Output = Output;

    fn asks(&self, call: &Call<'_>, _state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![asked::below::<InstanceProfile>(call, self.path_prefix.as_deref())])
    }

    fn run(self, call: &Call<'_>, view: &View) -> Result<Output, Fault> {
        let state = Reads::of(view);
        let prefix = self.path_prefix.unwrap_or_default();
        let profiles = state.records::<InstanceProfile>(&call.scope)?;
        let kept = profiles.iter().filter(|profile| profile.path.starts_with(&prefix));
        let shown = kept.map(|profile| shapes::InstanceProfile::of(profile, call, state));
        Ok(Output { instance_profiles: shown.collect::<Result<_, _>>()? })
    }
}
