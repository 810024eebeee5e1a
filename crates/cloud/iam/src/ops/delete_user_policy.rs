use eksile_aws::{Ask, Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use crate::records::User;
use crate::shapes;
use crate::{asked, find};

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteUserPolicy.html>
#[derive(Shape)]
pub(super) struct DeleteUserPolicy {
    user_name: String,
    policy_name: String,
}

impl Command for DeleteUserPolicy {
    type Output = shapes::Nothing;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![asked::bounded::<User>(call, state, &self.user_name)?])
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<shapes::Nothing, Fault> {
        let mut user = find::user(Reads::of(txn), &call.scope, &self.user_name)?;
        find::inline(&user.grants, "user", &self.policy_name)?;
        user.grants.inline.remove(&self.policy_name);
        txn.put_record(&call.scope, &user)?;
        Ok(shapes::Nothing {})
    }
}
