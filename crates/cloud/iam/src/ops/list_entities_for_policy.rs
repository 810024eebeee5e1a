use eksile_aws::{Call, Fault, Lookup, Reads, Shape};
use eksile_store::View;

use crate::find;
use crate::managed::Managed;
use crate::records::{Role, User};

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListEntitiesForPolicy.html>
#[derive(Shape)]
pub(super) struct ListEntitiesForPolicy {
    policy_arn: String,
}

#[derive(Shape)]
pub(super) struct Output {
    policy_groups: Vec<String>,
    policy_users: Vec<Holder>,
    policy_roles: Vec<Bearer>,
    is_truncated: bool,
}

#[derive(Shape)]
struct Holder {
    user_name: String,
    user_id: String,
}

impl Holder {
    fn of(user: User) -> Self {
        Self { user_name: user.name, user_id: user.user_id }
    }
}

#[derive(Shape)]
struct Bearer {
    role_name: String,
    role_id: String,
}

impl Bearer {
    fn of(role: Role) -> Self {
        Self { role_name: role.name, role_id: role.role_id }
    }
}

impl Lookup for ListEntitiesForPolicy {
    type Output = Output;

    fn resources(&self, _call: &Call<'_>, _state: Reads<'_>) -> Vec<String> {
        vec![self.policy_arn.clone()]
    }

    fn run(self, call: &Call<'_>, view: &View) -> Result<Output, Fault> {
        let state = Reads::of(view);
        if Managed::by_arn(&self.policy_arn).is_none() {
            find::policy(state, &call.scope, &self.policy_arn)?;
        }
        let users = state.records::<User>(&call.scope)?.into_iter();
        let roles = state.records::<Role>(&call.scope)?.into_iter();
        let holds = |attached: &[String]| attached.contains(&self.policy_arn);
        Ok(Output {
            policy_groups: Vec::new(),
            policy_users: users.filter(|user| holds(&user.grants.attached)).map(Holder::of).collect(),
            policy_roles: roles.filter(|role| holds(&role.grants.attached)).map(Bearer::of).collect(),
            is_truncated: false,
        })
    }
}
