use eksile_aws::{Ask, Call, Fault, Lookup, Reads, Shape};
use eksile_store::View;

use crate::records::User;
use crate::shapes;
use crate::{asked, find};

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListAttachedUserPolicies.html>
#[derive(Shape)]
pub(super) struct ListAttachedUserPolicies {
    user_name: String,
    path_prefix: Option<String>,
}

#[derive(Shape)]
pub(super) struct Output {
    attached_policies: Vec<shapes::AttachedPolicy>,
}

impl Lookup for ListAttachedUserPolicies {
    type Output = Output;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![asked::entity::<User>(call, state, &self.user_name)?])
    }

    fn run(self, call: &Call<'_>, view: &View) -> Result<Output, Fault> {
        let user = find::user(Reads::of(view), &call.scope, &self.user_name)?;
        let attached_policies = shapes::AttachedPolicy::all(&user.grants, self.path_prefix.as_deref());
        Ok(Output { attached_policies })
    }
}
