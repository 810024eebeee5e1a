use eksile_aws::{Ask, Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;
use jiff::Timestamp;

use crate::records::{AccessKey, KeyOwner};
use crate::sessions::secret;
use crate::shapes;
use crate::{asked, find};

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateAccessKey.html>
#[derive(Shape)]
pub(super) struct CreateAccessKey {
    user_name: Option<String>,
}

const LIMIT: usize = 2;

#[derive(Shape)]
pub(super) struct Output {
    access_key: Told,
}

/// The only time that the secret is told.
#[derive(Shape)]
struct Told {
    user_name: String,
    access_key_id: String,
    status: String,
    secret_access_key: String,
    create_date: Timestamp,
}

impl Told {
    fn of(key: AccessKey) -> Self {
        Self {
            user_name: key.user,
            access_key_id: key.access_key_id,
            status: "Active".to_owned(),
            secret_access_key: key.secret,
            create_date: shapes::time(key.created),
        }
    }
}

impl Command for CreateAccessKey {
    type Output = Output;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![asked::user(call, state, self.user_name.as_deref())?])
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<Output, Fault> {
        let state = Reads::of(txn);
        let name = find::user_or_caller(self.user_name.as_deref(), call)?;
        let user = find::user(state, &call.scope, name)?;
        let held = state.records::<AccessKey>(&call.scope)?.into_iter().filter(|key| key.user == user.name).count();
        if held >= LIMIT {
            let message = format!("Cannot exceed quota for AccessKeysPerUser: {LIMIT}");
            return Err(Fault::client("LimitExceeded", 409, message));
        }
        let key = AccessKey {
            access_key_id: call.mint.principal("AKIA")[..20].to_owned(),
            secret: secret(call.mint),
            user: user.name,
            active: true,
            created: call.now.as_second(),
        };
        let owner = KeyOwner { access_key_id: key.access_key_id.clone(), account: call.scope.account.clone() };
        txn.put_record(&KeyOwner::scope(), &owner)?;
        txn.put_record(&call.scope, &key)?;
        Ok(Output { access_key: Told::of(key) })
    }
}
