use eksile_aws::{Ask, Call, Fault, Lookup, Reads, Shape};
use eksile_store::View;

use crate::records::User;
use crate::{asked, find};

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListUserPolicies.html>
#[derive(Shape)]
pub(super) struct ListUserPolicies {
    user_name: String,
}

#[derive(Shape)]
pub(super) struct Output {
    policy_names: Vec<String>,
}

impl Lookup for ListUserPolicies {
    type Output = Output;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![asked::entity::<User>(call, state, &self.user_name)?])
    }

    fn run(self, call: &Call<'_>, view: &View) -> Result<Output, Fault> {
        let user = find::user(Reads::of(view), &call.scope, &self.user_name)?;
        Ok(Output { policy_names: user.grants.inline.into_keys().collect() })
    }
}
