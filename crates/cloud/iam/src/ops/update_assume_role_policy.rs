use eksile_aws::{Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use crate::find;
use crate::records::Role;
use crate::shapes;
use crate::trust;

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateAssumeRolePolicy.html>
#[derive(Shape)]
pub(super) struct UpdateAssumeRolePolicy {
    role_name: String,
    policy_document: String,
}

impl Command for UpdateAssumeRolePolicy {
    type Output = shapes::Nothing;

    fn resources(&self, call: &Call<'_>, state: Reads<'_>) -> Vec<String> {
        find::arn(call, state, &self.role_name, Role::arn)
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<shapes::Nothing, Fault> {
        let state = Reads::of(txn);
        let mut role = find::role(state, &call.scope, &self.role_name)?;
        trust::check(state, &self.policy_document)?;
        role.trust = self.policy_document;
        txn.put_record(&call.scope, &role)?;
        Ok(shapes::Nothing {})
    }
}
