use eksile_aws::{Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use crate::find;
use crate::records::User;
use crate::shapes;

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteUserPolicy.html>
#[derive(Shape)]
pub(super) struct DeleteUserPolicy {
    user_name: String,
    policy_name: String,
}

impl Command for DeleteUserPolicy {
    type Output = shapes::Nothing;

    fn resources(&self, call: &Call<'_>, state: Reads<'_>) -> Vec<String> {
        find::arn(call, state, &self.user_name, User::arn)
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<shapes::Nothing, Fault> {
        let mut user = find::user(Reads::of(txn), &call.scope, &self.user_name)?;
        find::inline(&user.grants, "user", &self.policy_name)?;
        user.grants.inline.remove(&self.policy_name);
        txn.put_record(&call.scope, &user)?;
        Ok(shapes::Nothing {})
    }
}
