use eksile_aws::inputs::{Tag, TagRules, merge_tags};
use eksile_aws::{Ask, Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use crate::names;
use crate::records::{Grants, Role, Tags};
use crate::shapes;
use crate::trust;
use crate::{asked, find};

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html>
#[derive(Shape)]
pub(super) struct CreateRole {
    role_name: String,
    path: Option<String>,
    assume_role_policy_document: String,
    description: Option<String>,
    max_session_duration: Option<i64>,
    permissions_boundary: Option<String>,
    tags: Vec<Tag>,
}

#[derive(Shape)]
pub(super) struct Output {
    role: shapes::Role,
}

impl Command for CreateRole {
    type Output = Output;

    fn asks(&self, call: &Call<'_>, _state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        let path = self.path.as_deref().unwrap_or("/");
        let arn = format!("arn:aws:iam::{}:role{path}{}", call.scope.account, self.role_name);
        Ok(asked::made(&arn, self.permissions_boundary.as_deref(), &self.tags, "iam:TagRole"))
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<Output, Fault> {
        names::name("roleName", &self.role_name, 64)?;
        let path = names::path(self.path)?;
        let state = Reads::of(txn);
        find::unused::<Role>(state, &call.scope, "Role", &self.role_name)?;
        let checked = trust::check(state, &call.scope, &self.assume_role_policy_document)?;
        let max_session = trust::session_length(self.max_session_duration)?;
        if let Some(arn) = &self.permissions_boundary {
            find::attachable(state, &call.scope, arn)?;
        }
        let mut tags = Tags::new();
        merge_tags(&mut tags, self.tags, TagRules::IAM)?;
        let role = Role {
            name: self.role_name,
            path,
            role_id: call.mint.principal("AROA"),
            trust: checked.text,
            trusted: checked.trusted,
            description: self.description,
            max_session,
            created: call.now.as_second(),
            grants: Grants { boundary: self.permissions_boundary, ..Grants::default() },
            tags,
        };
        txn.put_record(&call.scope, &role)?;
        Ok(Output { role: shapes::Role::of(&role, call, Reads::of(txn))? })
    }
}
