use eksile_aws::inputs::{Tag, TagRules, merge_tags};
use eksile_aws::{Ask, Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use crate::records::User;
use crate::shapes;
use crate::{asked, find};

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_TagUser.html>
#[derive(Shape)]
pub(super) struct TagUser {
    user_name: String,
    tags: Vec<Tag>,
}

impl Command for TagUser {
    type Output = shapes::Nothing;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        let given: Vec<String> = self.tags.iter().map(|tag| tag.key.clone()).collect();
        let keys = asked::tag_keys::<User>(call, state, &self.user_name, &given)?;
        let ask = asked::entity::<User>(call, state, &self.user_name)?;
        Ok(vec![ask.requesting(self.tags.iter().map(|tag| (&tag.key, &tag.value))).naming(&keys)])
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<shapes::Nothing, Fault> {
        let mut user = find::user(Reads::of(txn), &call.scope, &self.user_name)?;
        merge_tags(&mut user.tags, self.tags, TagRules::IAM)?;
        txn.put_record(&call.scope, &user)?;
        Ok(shapes::Nothing {})
    }
}
