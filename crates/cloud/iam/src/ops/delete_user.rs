use eksile_aws::{Ask, Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use crate::records::{AccessKey, User};
use crate::shapes;
use crate::{asked, find};

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteUser.html>
#[derive(Shape)]
pub(super) struct DeleteUser {
    user_name: String,
}

impl Command for DeleteUser {
    type Output = shapes::Nothing;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![asked::entity::<User>(call, state, &self.user_name)?])
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<shapes::Nothing, Fault> {
        let state = Reads::of(txn);
        let user = find::user(state, &call.scope, &self.user_name)?;
        find::without_policies(&user.grants)?;
        if state.records::<AccessKey>(&call.scope)?.iter().any(|key| key.user == user.name) {
            return Err(find::conflict("delete access keys"));
        }
        txn.delete_record::<User>(&call.scope, &user.name);
        Ok(shapes::Nothing {})
    }
}
