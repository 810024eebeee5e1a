use eksile_aws::{Ask, Call, Fault, Lookup, Reads, Shape};
use eksile_store::View;

use crate::records::{InstanceProfile, Role};
use crate::shapes;
use crate::{asked, find};

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListInstanceProfilesForRole.html>
#[derive(Shape)]
pub(super) struct ListInstanceProfilesForRole {
    role_name: String,
}

#[derive(Shape)]
pub(super) struct Output {
    instance_profiles: Vec<shapes::InstanceProfile>,
}

impl Lookup for ListInstanceProfilesForRole {
    type Output = Output;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![asked::entity::<Role>(call, state, &self.role_name)?])
    }

    fn run(self, call: &Call<'_>, view: &View) -> Result<Output, Fault> {
        let state = Reads::of(view);
        let role = find::role(state, &call.scope, &self.role_name)?;
        let profiles = state.records::<InstanceProfile>(&call.scope)?;
        let kept = profiles.iter().filter(|profile| profile.role.as_ref() == Some(&role.name));
        let shown = kept.map(|profile| shapes::InstanceProfile::of(profile, call, state));
        Ok(Output { instance_profiles: shown.collect::<Result<_, _>>()? })
    }
}
