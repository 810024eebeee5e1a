use eksile_aws::{Ask, Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use crate::records::Role;
use crate::shapes;
use crate::trust;
use crate::{asked, find};

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateAssumeRolePolicy.html>
#[derive(Shape)]
pub(super) struct UpdateAssumeRolePolicy {
    role_name: String,
    policy_document: String,
}

impl Command for UpdateAssumeRolePolicy {
    type Output = shapes::Nothing;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![asked::entity::<Role>(call, state, &self.role_name)?])
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<shapes::Nothing, Fault> {
        let state = Reads::of(txn);
        let mut role = find::role(state, &call.scope, &self.role_name)?;
        let checked = trust::check(state, &call.scope, &self.policy_document)?;
        (role.trust, role.trusted) = (checked.text, checked.trusted);
        txn.put_record(&call.scope, &role)?;
        Ok(shapes::Nothing {})
    }
}
