use eksile_aws::inputs::{Tag, TagRules, merge_tags};
use eksile_aws::{Ask, Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use crate::records::Role;
use crate::shapes;
use crate::{asked, find};

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_TagRole.html>
#[derive(Shape)]
pub(super) struct TagRole {
    role_name: String,
    tags: Vec<Tag>,
}

impl Command for TagRole {
    type Output = shapes::Nothing;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        let given: Vec<String> = self.tags.iter().map(|tag| tag.key.clone()).collect();
        let keys = asked::tag_keys::<Role>(call, state, &self.role_name, &given)?;
        let ask = asked::entity::<Role>(call, state, &self.role_name)?;
        Ok(vec![ask.requesting(self.tags.iter().map(|tag| (&tag.key, &tag.value))).naming(&keys)])
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<shapes::Nothing, Fault> {
        let mut role = find::role(Reads::of(txn), &call.scope, &self.role_name)?;
        merge_tags(&mut role.tags, self.tags, TagRules::IAM)?;
        txn.put_record(&call.scope, &role)?;
        Ok(shapes::Nothing {})
    }
}
