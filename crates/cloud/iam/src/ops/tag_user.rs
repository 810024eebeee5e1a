use eksile_aws::inputs::{Tag, TagRules, merge_tags};
use eksile_aws::{Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use crate::find;
use crate::records::User;
use crate::shapes;

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_TagUser.html>
#[derive(Shape)]
pub(super) struct TagUser {
    user_name: String,
    tags: Vec<Tag>,
}

impl Command for TagUser {
    type Output = shapes::Nothing;

    fn resources(&self, call: &Call<'_>, state: Reads<'_>) -> Vec<String> {
        find::arn(call, state, &self.user_name, User::arn)
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<shapes::Nothing, Fault> {
        let mut user = find::user(Reads::of(txn), &call.scope, &self.user_name)?;
        merge_tags(&mut user.tags, self.tags, TagRules::IAM)?;
        txn.put_record(&call.scope, &user)?;
        Ok(shapes::Nothing {})
    }
}
