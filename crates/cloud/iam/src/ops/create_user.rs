use eksile_aws::inputs::{Tag, TagRules, merge_tags};
use eksile_aws::{Ask, Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use crate::names;
use crate::records::{Grants, Tags, User};
use crate::shapes;
use crate::{asked, find};

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateUser.html>
#[derive(Shape)]
pub(super) struct CreateUser {
    user_name: String,
    path: Option<String>,
    permissions_boundary: Option<String>,
    tags: Vec<Tag>,
}

#[derive(Shape)]
pub(super) struct Output {
    user: shapes::User,
}

impl Command for CreateUser {
    type Output = Output;

    fn asks(&self, call: &Call<'_>, _state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        let path = self.path.as_deref().unwrap_or("/");
        let arn = format!("arn:aws:iam::{}:user{path}{}", call.scope.account, self.user_name);
        Ok(asked::made(&arn, self.permissions_boundary.as_deref(), &self.tags, "iam:TagUser"))
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<Output, Fault> {
        names::name("userName", &self.user_name, 64)?;
        let path = names::path(self.path)?;
        let state = Reads::of(txn);
        find::unused::<User>(state, &call.scope, "User", &self.user_name)?;
        if let Some(arn) = &self.permissions_boundary {
            find::attachable(state, &call.scope, arn)?;
        }
        let mut tags = Tags::new();
        merge_tags(&mut tags, self.tags, TagRules::IAM)?;
        let user = User {
            name: self.user_name,
            path,
            user_id: call.mint.principal("AIDA"),
            created: call.now.as_second(),
            grants: Grants { boundary: self.permissions_boundary, ..Grants::default() },
            tags,
        };
        txn.put_record(&call.scope, &user)?;
        Ok(Output { user: shapes::User::of(&user, call) })
    }
}
