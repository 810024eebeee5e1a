use eksile_aws::{Ask, Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use crate::names;
use crate::records::User;
use crate::shapes;
use crate::{asked, find};

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutUserPolicy.html>
#[derive(Shape)]
pub(super) struct PutUserPolicy {
    user_name: String,
    policy_name: String,
    policy_document: String,
}

impl Command for PutUserPolicy {
    type Output = shapes::Nothing;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![asked::bounded::<User>(call, state, &self.user_name)?])
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<shapes::Nothing, Fault> {
        names::name("policyName", &self.policy_name, 128)?;
        let mut user = find::user(Reads::of(txn), &call.scope, &self.user_name)?;
        find::document(&self.policy_document, find::Place::UserInline)?;
        user.grants.inline.insert(self.policy_name, self.policy_document);
        txn.put_record(&call.scope, &user)?;
        Ok(shapes::Nothing {})
    }
}
