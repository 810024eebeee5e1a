use eksile_aws::{Ask, Call, Fault, Lookup, Reads, Shape};
use eksile_store::View;

use crate::records::Role;
use crate::shapes;
use crate::{asked, find};

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListAttachedRolePolicies.html>
#[derive(Shape)]
pub(super) struct ListAttachedRolePolicies {
    role_name: String,
    path_prefix: Option<String>,
}

#[derive(Shape)]
pub(super) struct Output {
    attached_policies: Vec<shapes::AttachedPolicy>,
}

impl Lookup for ListAttachedRolePolicies {
    type Output = Output;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![asked::entity::<Role>(call, state, &self.role_name)?])
    }

    fn run(self, call: &Call<'_>, view: &View) -> Result<Output, Fault> {
        let role = find::role(Reads::of(view), &call.scope, &self.role_name)?;
        let attached_policies = shapes::AttachedPolicy::all(&role.grants, self.path_prefix.as_deref());
        Ok(Output { attached_policies })
    }
}
