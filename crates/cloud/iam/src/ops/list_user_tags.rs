use eksile_aws::inputs::Tag;
use eksile_aws::{Call, Fault, Lookup, Reads, Shape};
use eksile_store::View;

use crate::find;
use crate::records::User;
use crate::shapes;

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

    fn resources(&self, call: &Call<'_>, state: Reads<'_>) -> Vec<String> {
        find::arn(call, state, &self.user_name, User::arn)
    }

    fn run(self, call: &Call<'_>, view: &View) -> Result<Output, Fault> {
        let user = find::user(Reads::of(view), &call.scope, &self.user_name)?;
        Ok(Output { tags: shapes::tags(&user.tags) })
    }
}
