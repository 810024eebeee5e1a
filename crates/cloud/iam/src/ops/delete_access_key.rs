use eksile_aws::{Ask, Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use crate::records::{AccessKey, KeyOwner};
use crate::shapes;
use crate::{asked, find};

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteAccessKey.html>
#[derive(Shape)]
pub(super) struct DeleteAccessKey {
    user_name: Option<String>,
    access_key_id: String,
}

impl Command for DeleteAccessKey {
    type Output = shapes::Nothing;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![asked::user(call, state, self.user_name.as_deref())?])
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<shapes::Nothing, Fault> {
        let key = find::access_key(Reads::of(txn), call, self.user_name.as_deref(), &self.access_key_id)?;
        txn.delete_record::<AccessKey>(&call.scope, &key.access_key_id);
        txn.delete_record::<KeyOwner>(&KeyOwner::scope(), &key.access_key_id);
        Ok(shapes::Nothing {})
    }
}
