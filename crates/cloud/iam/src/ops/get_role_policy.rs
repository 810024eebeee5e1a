use eksile_aws::{Ask, Call, Fault, Lookup, Reads, Shape};
use eksile_store::View;

use crate::records::Role;
use crate::shapes;
use crate::{asked, find};

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetRolePolicy.html>
#[derive(Shape)]
pub(super) struct GetRolePolicy {
    role_name: String,
    policy_name: String,
}

#[derive(Shape)]
pub(super) struct Output {
    role_name: String,
    policy_name: String,
    policy_document: String,
}

impl Lookup for GetRolePolicy {
    type Output = Output;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![asked::entity::<Role>(call, state, &self.role_name)?])
    }

    fn run(self, call: &Call<'_>, view: &View) -> Result<Output, Fault> {
        let role = find::role(Reads::of(view), &call.scope, &self.role_name)?;
        let document = find::inline(&role.grants, "role", &self.policy_name)?;
        Ok(Output { policy_document: shapes::encoded(document), role_name: role.name, policy_name: self.policy_name })
    }
}
