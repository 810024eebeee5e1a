use eksile_aws::{Ask, Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use crate::shapes;
use crate::{asked, find};

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateAccessKey.html>
#[derive(Shape)]
pub(super) struct UpdateAccessKey {
    user_name: Option<String>,
    access_key_id: String,
    status: Status,
}

#[derive(Shape, PartialEq)]
enum Status {
    Active,
    Inactive,
}

impl Command for UpdateAccessKey {
    type Output = shapes::Nothing;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![asked::user(call, state, self.user_name.as_deref())?])
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<shapes::Nothing, Fault> {
        let mut key = find::access_key(Reads::of(txn), call, self.user_name.as_deref(), &self.access_key_id)?;
        key.active = self.status == Status::Active;
        txn.put_record(&call.scope, &key)?;
        Ok(shapes::Nothing {})
    }
}
