use eksile_aws::{Ask, Call, Fault, Lookup, Reads, Shape};
use eksile_store::View;
use jiff::Timestamp;

use crate::records::AccessKey;
use crate::shapes;
use crate::{asked, find};

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListAccessKeys.html>
#[derive(Shape)]
pub(super) struct ListAccessKeys {
    user_name: Option<String>,
}

#[derive(Shape)]
pub(super) struct Output {
    access_key_metadata: Vec<Listed>,
}

#[derive(Shape)]
struct Listed {
    user_name: String,
    access_key_id: String,
    status: String,
    create_date: Timestamp,
}

impl Listed {
    fn of(key: AccessKey) -> Self {
        Self {
            user_name: key.user,
            access_key_id: key.access_key_id,
            status: if key.active { "Active" } else { "Inactive" }.to_owned(),
            create_date: shapes::time(key.created),
        }
    }
}

impl Lookup for ListAccessKeys {
    type Output = Output;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![asked::user(call, state, self.user_name.as_deref())?])
    }

    fn run(self, call: &Call<'_>, view: &View) -> Result<Output, Fault> {
        let state = Reads::of(view);
        let name = find::user_or_caller(self.user_name.as_deref(), call)?;
        let user = find::user(state, &call.scope, name)?;
        let keys = state.records::<AccessKey>(&call.scope)?.into_iter().filter(|key| key.user == user.name);
        Ok(Output { access_key_metadata: keys.map(Listed::of).collect() })
    }
}
