use eksile_aws::{Ask, Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use crate::records::InstanceProfile;
use crate::shapes;
use crate::{asked, find};

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteInstanceProfile.html>
#[derive(Shape)]
pub(super) struct DeleteInstanceProfile {
    instance_profile_name: String,
}

impl Command for DeleteInstanceProfile {
    type Output = shapes::Nothing;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![asked::entity::<InstanceProfile>(call, state, &self.instance_profile_name)?])
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<shapes::Nothing, Fault> {
        let profile = find::instance_profile(Reads::of(txn), &call.scope, &self.instance_profile_name)?;
        if profile.role.is_some() {
            return Err(find::conflict("remove roles from instance profile"));
        }
        txn.delete_record::<InstanceProfile>(&call.scope, &profile.name);
        Ok(shapes::Nothing {})
    }
}
