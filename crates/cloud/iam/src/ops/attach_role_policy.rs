use eksile_aws::{Ask, Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use crate::records::Role;
use crate::shapes;
use crate::{asked, find};

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_AttachRolePolicy.html>
#[derive(Shape)]
pub(super) struct AttachRolePolicy {
    role_name: String,
    policy_arn: String,
}

impl Command for AttachRolePolicy {
    type Output = shapes::Nothing;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![asked::bounded::<Role>(call, state, &self.role_name)?])
    }

    fn conditions(&self, _call: &Call<'_>) -> Vec<(String, Vec<String>)> {
        vec![("iam:PolicyARN".to_owned(), vec![self.policy_arn.clone()])]
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<shapes::Nothing, Fault> {
        let state = Reads::of(txn);
        let mut role = find::role(state, &call.scope, &self.role_name)?;
        find::attachable(state, &call.scope, &self.policy_arn)?;
        role.grants.attach(self.policy_arn)?;
        txn.put_record(&call.scope, &role)?;
        Ok(shapes::Nothing {})
    }
}
