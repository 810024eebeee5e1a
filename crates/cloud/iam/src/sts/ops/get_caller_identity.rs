use eksile_aws::{Ask, Call, Fault, Guard, Lookup, Reads, Shape};
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

    /// Nobody can be denied the knowledge of who they are.
    fn guard(&self) -> Guard {
        Guard::Open
    }

    fn asks(&self, _call: &Call<'_>, _state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![Ask::any()])
    }

    fn run(self, call: &Call<'_>, _view: &View) -> Result<Output, Fault> {
        let caller = call.caller.clone();
        Ok(Output { user_id: caller.user_id, account: caller.account, arn: caller.arn })
    }
}
