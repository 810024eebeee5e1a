use eksile_aws::inputs::TagRules;
use eksile_aws::{Ask, Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use crate::records::User;
use crate::shapes;
use crate::{asked, find};

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_UntagUser.html>
#[derive(Shape)]
pub(super) struct UntagUser {
    user_name: String,
    tag_keys: Vec<String>,
}

impl Command for UntagUser {
    type Output = shapes::Nothing;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        let keys = asked::tag_keys::<User>(call, state, &self.user_name, &self.tag_keys)?;
        Ok(vec![asked::entity::<User>(call, state, &self.user_name)?.naming(&keys)])
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<shapes::Nothing, Fault> {
        let mut user = find::user(Reads::of(txn), &call.scope, &self.user_name)?;
        TagRules::IAM.remove(&mut user.tags, &self.tag_keys);
        txn.put_record(&call.scope, &user)?;
        Ok(shapes::Nothing {})
    }
}
