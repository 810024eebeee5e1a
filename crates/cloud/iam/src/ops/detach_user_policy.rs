use eksile_aws::{Ask, Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use crate::records::User;
use crate::shapes;
use crate::{asked, find};

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_DetachUserPolicy.html>
#[derive(Shape)]
pub(super) struct DetachUserPolicy {
    user_name: String,
    policy_arn: String,
}

impl Command for DetachUserPolicy {
    type Output = shapes::Nothing;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![asked::bounded::<User>(call, state, &self.user_name)?])
    }

    fn conditions(&self, _call: &Call<'_>) -> Vec<(String, Vec<String>)> {
        vec![("iam:PolicyARN".to_owned(), vec![self.policy_arn.clone()])]
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<shapes::Nothing, Fault> {
        let mut user = find::user(Reads::of(txn), &call.scope, &self.user_name)?;
        user.grants.detach(&self.policy_arn)?;
        txn.put_record(&call.scope, &user)?;
        Ok(shapes::Nothing {})
    }
}
