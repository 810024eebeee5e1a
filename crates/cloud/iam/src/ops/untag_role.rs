use eksile_aws::inputs::TagRules;
use eksile_aws::{Ask, Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use crate::records::Role;
use crate::shapes;
use crate::{asked, find};

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_UntagRole.html>
#[derive(Shape)]
pub(super) struct UntagRole {
    role_name: String,
    tag_keys: Vec<String>,
}

impl Command for UntagRole {
    type Output = shapes::Nothing;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        let keys = asked::tag_keys::<Role>(call, state, &self.role_name, &self.tag_keys)?;
        Ok(vec![asked::entity::<Role>(call, state, &self.role_name)?.naming(&keys)])
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<shapes::Nothing, Fault> {
        let mut role = find::role(Reads::of(txn), &call.scope, &self.role_name)?;
        TagRules::IAM.remove(&mut role.tags, &self.tag_keys);
        txn.put_record(&call.scope, &role)?;
        Ok(shapes::Nothing {})
    }
}
