use eksile_aws::{Ask, Call, Fault, Lookup, Reads, Shape};
use eksile_store::View;

use crate::shapes;
use crate::{asked, find};

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

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![asked::user(call, state, self.user_name.as_deref())?])
    }

    fn run(self, call: &Call<'_>, view: &View) -> Result<Output, Fault> {
        let name = find::user_or_caller(self.user_name.as_deref(), call)?;
        let user = find::user(Reads::of(view), &call.scope, name)?;
        Ok(Output { user: shapes::User::of(&user, call) })
    }
}
