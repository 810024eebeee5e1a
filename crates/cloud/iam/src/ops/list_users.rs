use eksile_aws::{Ask, Call, Fault, Lookup, Reads, Shape};
use eksile_store::View;

use crate::asked;
use crate::records::User;
use crate::shapes;

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListUsers.html>
#[derive(Shape)]
pub(super) struct ListUsers {
    path_prefix: Option<String>,
}

#[derive(Shape)]
pub(super) struct Output {
    users: Vec<shapes::User>,
}

impl Lookup for ListUsers {
    type Output = Output;

    fn asks(&self, call: &Call<'_>, _state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![asked::below::<User>(call, self.path_prefix.as_deref())])
    }

    fn run(self, call: &Call<'_>, view: &View) -> Result<Output, Fault> {
        let users = Reads::of(view).records::<User>(&call.scope)?;
        let prefix = self.path_prefix.unwrap_or_default();
        let kept = users.iter().filter(|user| user.path.starts_with(&prefix));
        Ok(Output { users: kept.map(|user| shapes::User::of(user, call)).collect() })
    }
}
