use eksile_aws::{Ask, Call, Fault, Lookup, Reads, Shape};
use eksile_store::View;

use crate::records::User;
use crate::shapes;
use crate::{asked, find};

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetUserPolicy.html>
#[derive(Shape)]
pub(super) struct GetUserPolicy {
    user_name: String,
    policy_name: String,
}

#[derive(Shape)]
pub(super) struct Output {
    user_name: String,
    policy_name: String,
    policy_document: String,
}

impl Lookup for GetUserPolicy {
    type Output = Output;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![asked::entity::<User>(call, state, &self.user_name)?])
    }

    fn run(self, call: &Call<'_>, view: &View) -> Result<Output, Fault> {
        let user = find::user(Reads::of(view), &call.scope, &self.user_name)?;
        let document = find::inline(&user.grants, "user", &self.policy_name)?;
        Ok(Output { policy_document: shapes::encoded(document), user_name: user.name, policy_name: self.policy_name })
    }
}
