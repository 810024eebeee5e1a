use eksile_aws::{Ask, Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use crate::records::Role;
use crate::shapes;
use crate::{asked, find};

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteRolePolicy.html>
#[derive(Shape)]
pub(super) struct DeleteRolePolicy {
    role_name: String,
    policy_name: String,
}

impl Command for DeleteRolePolicy {
    type Output = shapes::Nothing;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![asked::bounded::<Role>(call, state, &self.role_name)?])
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<shapes::Nothing, Fault> {
        let mut role = find::role(Reads::of(txn), &call.scope, &self.role_name)?;
        find::inline(&role.grants, "role", &self.policy_name)?;
        role.grants.inline.remove(&self.policy_name);
        txn.put_record(&call.scope, &role)?;
        Ok(shapes::Nothing {})
    }
}
