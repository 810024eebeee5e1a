use eksile_aws::inputs::{Tag, TagRules, merge_tags};
use eksile_aws::{Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use crate::find;
use crate::records::Role;
use crate::shapes;

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_TagRole.html>
#[derive(Shape)]
pub(super) struct TagRole {
    role_name: String,
    tags: Vec<Tag>,
}

impl Command for TagRole {
    type Output = shapes::Nothing;

    fn resources(&self, call: &Call<'_>, state: Reads<'_>) -> Vec<String> {
        find::arn(call, state, &self.role_name, Role::arn)
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<shapes::Nothing, Fault> {
        let mut role = find::role(Reads::of(txn), &call.scope, &self.role_name)?;
        merge_tags(&mut role.tags, self.tags, TagRules::IAM)?;
        txn.put_record(&call.scope, &role)?;
        Ok(shapes::Nothing {})
    }
}
