use eksile_aws::{Ask, Call, Fault, Lookup, Reads, Shape};
use eksile_store::View;

use crate::simulate;

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetContextKeysForCustomPolicy.html>
#[derive(Shape)]
pub(super) struct GetContextKeysForCustomPolicy {
    policy_input_list: Vec<String>,
}

#[derive(Shape)]
pub(super) struct Output {
    context_key_names: Vec<String>,
}

impl Lookup for GetContextKeysForCustomPolicy {
    type Output = Output;

    fn asks(&self, _call: &Call<'_>, _state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![Ask::any()])
    }

    fn run(self, _call: &Call<'_>, _view: &View) -> Result<Output, Fault> {
        Ok(Output { context_key_names: simulate::keys_of(&simulate::given(&self.policy_input_list)?) })
    }
}
