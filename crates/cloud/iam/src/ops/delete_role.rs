use eksile_aws::{Ask, Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use crate::records::{InstanceProfile, Role};
use crate::shapes;
use crate::{asked, find};

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteRole.html>
#[derive(Shape)]
pub(super) struct DeleteRole {
    role_name: String,
}

impl Command for DeleteRole {
    type Output = shapes::Nothing;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![asked::entity::<Role>(call, state, &self.role_name)?])
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
