use eksile_aws::{Call, Command, Fault, Passed, Reads, Shape};
use eksile_store::Txn;

use crate::find;
use crate::records::{InstanceProfile, Role};
use crate::shapes;

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_AddRoleToInstanceProfile.html>
#[derive(Shape)]
pub(super) struct AddRoleToInstanceProfile {
    instance_profile_name: String,
    role_name: String,
}

impl Command for AddRoleToInstanceProfile {
    type Output = shapes::Nothing;

    fn resources(&self, call: &Call<'_>, state: Reads<'_>) -> Vec<String> {
        find::arn(call, state, &self.instance_profile_name, InstanceProfile::arn)
    }

    fn passes(&self, call: &Call<'_>, state: Reads<'_>) -> Vec<Passed> {
        let roles = find::arn(call, state, &self.role_name, Role::arn);
        roles.into_iter().map(|role_arn| Passed { role_arn, to_service: "ec2.amazonaws.com" }).collect()
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<shapes::Nothing, Fault> {
        let state = Reads::of(txn);
        let mut profile = find::instance_profile(state, &call.scope, &self.instance_profile_name)?;
        let role = find::role(state, &call.scope, &self.role_name)?;
        if profile.role.is_some() {
            let message = "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1";
            return Err(Fault::client("LimitExceeded", 409, message));
        }
        profile.role = Some(role.name);
        txn.put_record(&call.scope, &profile)?;
        Ok(shapes::Nothing {})
    }
}
