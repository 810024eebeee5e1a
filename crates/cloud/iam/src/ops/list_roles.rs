use eksile_aws::{Ask, Call, Fault, Lookup, Reads, Shape};
use eksile_store::View;

use crate::asked;
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

    fn asks(&self, call: &Call<'_>, _state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![asked::below::<Role>(call, self.path_prefix.as_deref())])
    }

    fn run(self, call: &Call<'_>, view: &View) -> Result<Output, Fault> {
        let roles = Reads::of(view).records::<Role>(&call.scope)?;
        let prefix = self.path_prefix.unwrap_or_default();
        let kept = roles.iter().filter(|role| role.path.starts_with(&prefix));
        Ok(Output { roles: kept.map(|role| shapes::Role::of(role, call, Reads::of(view))).collect::<Result<_, _>>()? })
    }
}
