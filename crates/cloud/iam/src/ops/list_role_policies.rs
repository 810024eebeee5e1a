use eksile_aws::{Call, Fault, Lookup, Reads, Shape};
use eksile_store::View;

use crate::find;
use crate::records::Role;

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListRolePolicies.html>
#[derive(Shape)]
pub(super) struct ListRolePolicies {
    role_name: String,
}

#[derive(Shape)]
pub(super) struct Output {
    policy_names: Vec<String>,
}

impl Lookup for ListRolePolicies {
    type Output = Output;

    fn resources(&self, call: &Call<'_>, state: Reads<'_>) -> Vec<String> {
        find::arn(call, state, &self.role_name, Role::arn)
    }

    fn run(self, call: &Call<'_>, view: &View) -> Result<Output, Fault> {
        let role = find::role(Reads::of(view), &call.scope, &self.role_name)?;
        Ok(Output { policy_names: role.grants.inline.into_keys().collect() })
    }
}
