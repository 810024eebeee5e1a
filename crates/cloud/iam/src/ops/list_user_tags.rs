use eksile_aws::inputs::Tag;
use eksile_aws::{Ask, Call, Fault, Lookup, Reads, Shape};
use eksile_store::View;

use crate::records::User;
use crate::shapes;
use crate::{asked, find};

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListUserTags.html>
#[derive(Shape)]
pub(super) struct ListUserTags {
    user_name: String,
}

#[derive(Shape)]
pub(super) struct Output {
    tags: Vec<Tag>,
}

impl Lookup for ListUserTags {
    type Output = Output;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![asked::entity::<User>(call, state, &self.user_name)?])
    }

    fn run(self, call: &Call<'_>, view: &View) -> Result<Output, Fault> {
        let user = find::user(Reads::of(view), &call.scope, &self.user_name)?;
        Ok(Output { tags: shapes::tags(&user.tags) })
    }
}
