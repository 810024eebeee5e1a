use eksile_aws::{Ask, Call, Fault, Lookup, Reads, Shape};
use eksile_store::View;

use crate::managed::Managed;
use crate::shapes;
use crate::{asked, find};

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetPolicy.html>
#[derive(Shape)]
pub(super) struct GetPolicy {
    policy_arn: String,
}

#[derive(Shape)]
pub(super) struct Output {
    policy: shapes::Policy,
}

impl Lookup for GetPolicy {
    type Output = Output;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![asked::policy(call, state, &self.policy_arn)?])
    }

    fn run(self, call: &Call<'_>, view: &View) -> Result<Output, Fault> {
        let state = Reads::of(view);
        let policy = match Managed::by_arn(&self.policy_arn) {
            Some(managed) => shapes::Policy::managed(managed, call, state)?,
            None => shapes::Policy::of(&find::policy(state, &call.scope, &self.policy_arn)?, call, state)?,
        };
        Ok(Output { policy })
    }
}
