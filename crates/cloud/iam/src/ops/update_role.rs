use eksile_aws::{Ask, Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use crate::records::Role;
use crate::shapes;
use crate::trust;
use crate::{asked, find};

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateRole.html>
#[derive(Shape)]
pub(super) struct UpdateRole {
    role_name: String,
    description: Option<String>,
    max_session_duration: Option<i64>,
}

impl Command for UpdateRole {
    type Output = shapes::Nothing;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![asked::entity::<Role>(call, state, &self.role_name)?])
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<shapes::Nothing, Fault> {
        let mut role = find::role(Reads::of(txn), &call.scope, &self.role_name)?;
        role.description = self.description.or(role.description);
        role.max_session = trust::session_length(self.max_session_duration.or(Some(role.max_session)))?;
        txn.put_record(&call.scope, &role)?;
        Ok(shapes::Nothing {})
    }
}
