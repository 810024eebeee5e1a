use eksile_aws::{Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use crate::find;
use crate::records::InstanceProfile;
use crate::shapes;

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteInstanceProfile.html>
#[derive(Shape)]
pub(super) struct DeleteInstanceProfile {
    instance_profile_name: String,
}

impl Command for DeleteInstanceProfile {
    type Output = shapes::Nothing;

    fn resources(&self, call: &Call<'_>, state: Reads<'_>) -> Vec<String> {
        find::arn(call, state, &self.instance_profile_name, InstanceProfile::arn)
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
