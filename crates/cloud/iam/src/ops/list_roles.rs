use eksile_aws::{Call, Fault, Lookup, Reads, Shape};
use eksile_store::View;

use crate::records::Role;
use crate::shapes;

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListRoles.html>
#[derive(Shape)]
pub(super) struct ListRoles {
    path_prefix: Option<String>,
}

#[derive(Shape)]
pub(super) struct Output {
    roles: Vec<shapes::Role>,
}

impl Lookup for ListRoles {
    type Output = Output;

    fn run(self, call: &Call<'_>, view: &View) -> Result<Output, Fault> {
        let roles = Reads::of(view).records::<Role>(&call.scope)?;
        let prefix = self.path_prefix.unwrap_or_default();
        let kept = roles.iter().filter(|role| role.path.starts_with(&prefix));
        Ok(Output { roles: kept.map(|role| shapes::Role::of(role, call)).collect() })
    }
}
