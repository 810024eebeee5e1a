use eksile_aws::{Ask, Call, Fault, Lookup, Reads, Shape};
use eksile_store::View;

use crate::{asked, simulate};

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetContextKeysForPrincipalPolicy.html>
#[derive(Shape)]
pub(super) struct GetContextKeysForPrincipalPolicy {
    policy_source_arn: String,
    policy_input_list: Vec<String>,
}

#[derive(Shape)]
pub(super) struct Output {
    context_key_names: Vec<String>,
}

impl Lookup for GetContextKeysForPrincipalPolicy {
    type Output = Output;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![asked::principal(call, state, &self.policy_source_arn)?])
    }

    fn run(self, call: &Call<'_>, view: &View) -> Result<Output, Fault> {
        let mut sources = simulate::subject(Reads::of(view), &call.scope, &self.policy_source_arn)?.identity;
        sources.extend(simulate::given(&self.policy_input_list)?);
        Ok(Output { context_key_names: simulate::keys_of(&sources) })
    }
}
