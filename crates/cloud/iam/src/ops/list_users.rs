use eksile_aws::{Call, Fault, Lookup, Reads, Shape};
use eksile_store::View;

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

    fn run(self, call: &Call<'_>, view: &View) -> Result<Output, Fault> {
        let users = Reads::of(view).records::<User>(&call.scope)?;
        let prefix = self.path_prefix.unwrap_or_default();
        let kept = users.iter().filter(|user| user.path.starts_with(&prefix));
        Ok(Output { users: kept.map(|user| shapes::User::of(user, call)).collect() })
    }
}
