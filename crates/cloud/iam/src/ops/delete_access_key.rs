use eksile_aws::{Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use crate::find;
use crate::records::{AccessKey, KeyOwner};
use crate::shapes;

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteAccessKey.html>
#[derive(Shape)]
pub(super) struct DeleteAccessKey {
    user_name: Option<String>,
    access_key_id: String,
}

impl Command for DeleteAccessKey {
    type Output = shapes::Nothing;

    fn resources(&self, call: &Call<'_>, state: Reads<'_>) -> Vec<String> {
        find::user_arn(call, state, self.user_name.as_deref())
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<shapes::Nothing, Fault> {
        let key = find::access_key(Reads::of(txn), call, self.user_name.as_deref(), &self.access_key_id)?;
        txn.delete_record::<AccessKey>(&call.scope, &key.access_key_id);
        txn.delete_record::<KeyOwner>(&KeyOwner::scope(), &key.access_key_id);
        Ok(shapes::Nothing {})
    }
}
