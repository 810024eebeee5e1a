use eksile_aws::{Ask, Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use crate::records::InstanceProfile;
use crate::shapes;
use crate::{asked, find};

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_RemoveRoleFromInstanceProfile.html>
#[derive(Shape)]
pub(super) struct RemoveRoleFromInstanceProfile {
    instance_profile_name: String,
    role_name: String,
}

impl Command for RemoveRoleFromInstanceProfile {
    type Output = shapes::Nothing;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![asked::entity::<InstanceProfile>(call, state, &self.instance_profile_name)?])
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<shapes::Nothing, Fault> {
        let mut profile = find::instance_profile(Reads::of(txn), &call.scope, &self.instance_profile_name)?;
        if profile.role.as_ref() != Some(&self.role_name) {
            return Err(find::missing(format!("The role with name {} cannot be found.", self.role_name)));
        }
        profile.role = None;
        txn.put_record(&call.scope, &profile)?;
        Ok(shapes::Nothing {})
    }
}
