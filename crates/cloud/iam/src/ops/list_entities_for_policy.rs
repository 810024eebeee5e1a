use eksile_aws::{Ask, Call, Fault, Lookup, Reads, Shape};
use eksile_store::View;

use crate::managed::Managed;
use crate::records::{Grants, Role, User};
use crate::shapes::Usage;
use crate::{asked, find};

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListEntitiesForPolicy.html>
#[derive(Shape)]
pub(super) struct ListEntitiesForPolicy {
    policy_arn: String,
    entity_filter: Option<Entities>,
    path_prefix: Option<String>,
    policy_usage_filter: Option<Usage>,
}

/// `EntityFilter`; policies are no entities that a policy is attached to, so those two find nothing.
#[derive(Clone, Copy, PartialEq, Shape)]
enum Entities {
    User,
    Role,
    Group,
    LocalManagedPolicy,
    #[shape(name = "AWSManagedPolicy")]
    AwsManagedPolicy,
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

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![asked::policy(call, state, &self.policy_arn)?])
    }

    fn run(self, call: &Call<'_>, view: &View) -> Result<Output, Fault> {
        let state = Reads::of(view);
        if Managed::by_arn(&self.policy_arn).is_none() {
            find::policy(state, &call.scope, &self.policy_arn)?;
        }
        let users = state.records::<User>(&call.scope)?.into_iter();
        let roles = state.records::<Role>(&call.scope)?.into_iter();
        let users = users.filter(|user| self.finds(Entities::User, &user.path, &user.grants));
        let roles = roles.filter(|role| self.finds(Entities::Role, &role.path, &role.grants));
        Ok(Output {
            policy_groups: Vec::new(),
            policy_users: users.map(Holder::of).collect(),
            policy_roles: roles.map(Bearer::of).collect(),
            is_truncated: false,
        })
    }
}

impl ListEntitiesForPolicy {
    /// Whether an entity with these grants uses the policy in the way asked for.
    fn finds(&self, entities: Entities, path: &str, grants: &Grants) -> bool {
        let attached = grants.attached.contains(&self.policy_arn);
        let bounds = grants.boundary.as_ref() == Some(&self.policy_arn);
        let used = match self.policy_usage_filter {
            None => attached || bounds,
            Some(Usage::PermissionsPolicy) => attached,
            Some(Usage::PermissionsBoundary) => bounds,
        };
        let asked = self.entity_filter.is_none_or(|filter| filter == entities);
        used && asked && self.path_prefix.as_deref().is_none_or(|prefix| path.starts_with(prefix))
    }
}
