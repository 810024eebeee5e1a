use eksile_aws::{Ask, Call, Fault, Lookup, Reads, Shape};
use eksile_store::View;

use crate::records::User;
use crate::{asked, find};

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListGroupsForUser.html>
#[derive(Shape)]
pub(super) struct ListGroupsForUser {
    user_name: String,
}

/// None: groups cannot be made here. Terraform asks before it deletes a user.
#[derive(Shape)]
pub(super) struct Output {
    groups: Vec<String>,
}

impl Lookup for ListGroupsForUser {
    type Output = Output;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![asked::entity::<User>(call, state, &self.user_name)?])
    }

    fn run(self, call: &Call<'_>, view: &View) -> Result<Output, Fault> {
        find::user(Reads::of(view), &call.scope, &self.user_name)?;
        Ok(Output { groups: Vec::new() })
    }
}
