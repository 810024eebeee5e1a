use eksile_aws::{Call, Fault, Lookup, Shape};
use eksile_store::View;

/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html>
#[derive(Shape)]
pub(super) struct GetCallerIdentity {}

/// Who called.
#[derive(Shape)]
pub(super) struct Output {
    user_id: String,
    account: String,
    arn: String,
}

impl Lookup for GetCallerIdentity {
    type Output = Output;

    fn run(self, call: &Call<'_>, _view: &View) -> Result<Output, Fault> {
        let caller = call.caller.clone();
        Ok(Output { user_id: caller.user_id, account: caller.account, arn: caller.arn })
    }
}
