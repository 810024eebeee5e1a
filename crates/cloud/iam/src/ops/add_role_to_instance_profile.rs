use eksile_aws::{Ask, Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use crate::records::{InstanceProfile, Role};
use crate::shapes;
use crate::{asked, find};

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_AddRoleToInstanceProfile.html>
#[derive(Shape)]
pub(super) struct AddRoleToInstanceProfile {
    instance_profile_name: String,
    role_name: String,
}

impl Command for AddRoleToInstanceProfile {
    type Output = shapes::Nothing;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        let profile = asked::entity::<InstanceProfile>(call, state, &self.instance_profile_name)?;
        let role = state.record::<Role>(&call.scope, &self.role_name)?;
        let account = &call.scope.account;
        let role =
            role.map_or_else(|| format!("arn:aws:iam::{account}:role/{}", self.role_name), |role| role.arn(account));
        let passed = asked::pass_role(call, state, &role, "ec2.amazonaws.com", profile.arn())?;
        Ok(vec![profile, passed])
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
