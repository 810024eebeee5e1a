use eksile_aws::{Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use crate::find;
use crate::records::{InstanceProfile, Role};
use crate::shapes;

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteRole.html>
#[derive(Shape)]
pub(super) struct DeleteRole {
    role_name: String,
}

impl Command for DeleteRole {
    type Output = shapes::Nothing;

    fn resources(&self, call: &Call<'_>, state: Reads<'_>) -> Vec<String> {
        find::arn(call, state, &self.role_name, Role::arn)
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<shapes::Nothing, Fault> {
        let state = Reads::of(txn);
        let role = find::role(state, &call.scope, &self.role_name)?;
        let profiles = state.records::<InstanceProfile>(&call.scope)?;
        if profiles.iter().any(|profile| profile.role.as_ref() == Some(&role.name)) {
            return Err(find::conflict("remove roles from instance profile"));
        }
        find::without_policies(&role.grants)?;
        txn.delete_record::<Role>(&call.scope, &role.name);
        Ok(shapes::Nothing {})
    }
}
