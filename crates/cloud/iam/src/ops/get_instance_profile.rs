use eksile_aws::{Ask, Call, Fault, Lookup, Reads, Shape};
use eksile_store::View;

use crate::records::InstanceProfile;
use crate::shapes;
use crate::{asked, find};

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetInstanceProfile.html>
#[derive(Shape)]
pub(super) struct GetInstanceProfile {
    instance_profile_name: String,
}

#[derive(Shape)]
pub(super) struct Output {
    instance_profile: shapes::InstanceProfile,
}

impl Lookup for GetInstanceProfile {
    type Output = Output;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![asked::entity::<InstanceProfile>(call, state, &self.instance_profile_name)?])
    }

    fn run(self, call: &Call<'_>, view: &View) -> Result<Output, Fault> {
        let state = Reads::of(view);
        let profile = find::instance_profile(state, &call.scope, &self.instance_profile_name)?;
        Ok(Output { instance_profile: shapes::InstanceProfile::of(&profile, call, state)? })
    }
}
