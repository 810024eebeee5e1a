use eksile_aws::inputs::Tag;
use eksile_aws::{Ask, Call, Fault, Lookup, Reads, Shape};
use eksile_store::View;

use crate::records::Role;
use crate::shapes;
use crate::{asked, find};

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListRoleTags.html>
#[derive(Shape)]
pub(super) struct ListRoleTags {
    role_name: String,
}

#[derive(Shape)]
pub(super) struct Output {
    tags: Vec<Tag>,
}

impl Lookup for ListRoleTags {
    type Output = Output;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![asked::entity::<Role>(call, state, &self.role_name)?])
    }

    fn run(self, call: &Call<'_>, view: &View) -> Result<Output, Fault> {
        let role = find::role(Reads::of(view), &call.scope, &self.role_name)?;
        Ok(Output { tags: shapes::tags(&role.tags) })
    }
}
