use eksile_aws::{Call, Fault, Lookup, Reads, Shape};
use eksile_store::View;

use crate::find;
use crate::shapes;

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetUser.html>
#[derive(Shape)]
pub(super) struct GetUser {
    user_name: Option<String>,
}

#[derive(Shape)]
pub(super) struct Output {
    user: shapes::User,
}

impl Lookup for GetUser {
    type Output = Output;

    fn resources(&self, call: &Call<'_>, state: Reads<'_>) -> Vec<String> {
        find::user_arn(call, state, self.user_name.as_deref())
    }

    fn run(self, call: &Call<'_>, view: &View) -> Result<Output, Fault> {
        let name = find::user_or_caller(self.user_name.as_deref(), call)?;
        let user = find::user(Reads::of(view), &call.scope, name)?;
        Ok(Output { user: shapes::User::of(&user, call) })
    }
}
