use eksile_aws::{Ask, Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use crate::names;
use crate::records::Role;
use crate::shapes;
use crate::{asked, find};

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutRolePolicy.html>
#[derive(Shape)]
pub(super) struct PutRolePolicy {
    role_name: String,
    policy_name: String,
    policy_document: String,
}

impl Command for PutRolePolicy {
    type Output = shapes::Nothing;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![asked::bounded::<Role>(call, state, &self.role_name)?])
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<shapes::Nothing, Fault> {
        names::name("policyName", &self.policy_name, 128)?;
        let mut role = find::role(Reads::of(txn), &call.scope, &self.role_name)?;
        find::document(&self.policy_document, find::Place::RoleInline)?;
        role.grants.inline.insert(self.policy_name, self.policy_document);
        txn.put_record(&call.scope, &role)?;
        Ok(shapes::Nothing {})
    }
}
