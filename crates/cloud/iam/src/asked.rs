//! What IAM's operations ask the policies: which entity, with which tags and which boundary.
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html>

use eksile_aws::inputs::Tag;
use eksile_aws::{Ask, Call, Fault, Reads};
use eksile_store::{Record, Scope};

use crate::records::{Grants, InstanceProfile, Policy, Role, Tags, User};
use crate::{directory, find};

/// A record that policies name by ARN.
pub(crate) trait Entity: Record {
    /// Its ARN.
    fn entity_arn(&self, account: &str) -> String;
    /// Its tags.
    fn entity_tags(&self) -> &Tags;
    /// Its policies, if it is a user or role.
    fn entity_grants(&self) -> Option<&Grants> {
        None
    }
}

macro_rules! entities {
    ($($kind:ty $(, $grants:ident)?;)*) => {$(
        impl Entity for $kind {
            fn entity_arn(&self, account: &str) -> String {
                self.arn(account)
            }

            fn entity_tags(&self) -> &Tags {
                &self.tags
            }

            $(fn entity_grants(&self) -> Option<&Grants> {
                Some(&self.$grants)
            })?
        }
    )*};
}

entities! {
    User, grants;
    Role, grants;
    InstanceProfile;
    Policy;
}

/// About the entity of that name in the caller's account; about what the ARN would be, where there is none.
pub(crate) fn entity<E: Entity>(call: &Call<'_>, state: Reads<'_>, name: &str) -> Result<Ask, Fault> {
    let account = &call.scope.account;
    Ok(match state.record::<E>(&call.scope, name)? {
        Some(entity) => tagged(Ask::to(entity.entity_arn(account)), entity.entity_tags()),
        None => Ask::to(format!("arn:aws:iam::{account}:{}/{name}", E::KIND)),
    })
}

/// The same of a user or role whose policies the call changes: with its boundary.
pub(crate) fn bounded<E: Entity>(call: &Call<'_>, state: Reads<'_>, name: &str) -> Result<Ask, Fault> {
    let boundary = state.record::<E>(&call.scope, name)?;
    let boundary = boundary.and_then(|entity| entity.entity_grants().and_then(|grants| grants.boundary.clone()));
    Ok(entity::<E>(call, state, name)?.maybe("iam:PermissionsBoundary", boundary))
}

/// About an entity that the call makes, and about tagging it.
pub(crate) fn made(arn: &str, boundary: Option<&str>, tags: &[Tag], tagging: &'static str) -> Vec<Ask> {
    let given = || tags.iter().map(|tag| (&tag.key, &tag.value));
    let ask = || Ask::to(arn).maybe("iam:PermissionsBoundary", boundary).requesting(given());
    if tags.is_empty() { vec![ask()] } else { vec![ask(), ask().action(tagging)] }
}

/// About the user given, else the caller.
pub(crate) fn user(call: &Call<'_>, state: Reads<'_>, given: Option<&str>) -> Result<Ask, Fault> {
    match given {
        Some(name) => entity::<User>(call, state, name),
        None => match &call.caller.principal {
            eksile_aws::Principal::User { name } => entity::<User>(call, state, name),
            _ => Ok(Ask::to(call.caller.iam_arn())),
        },
    }
}

/// About a managed policy, of whichever account.
pub(crate) fn policy(call: &Call<'_>, state: Reads<'_>, arn: &str) -> Result<Ask, Fault> {
    let own = directory::customer_managed(arn).filter(|(owner, _)| *owner == call.scope);
    let found = match own {
        Some((scope, name)) => state.record::<Policy>(&scope, name)?.filter(|policy| policy.arn(&scope.account) == arn),
        None => None,
    };
    Ok(match found {
        Some(policy) => tagged(Ask::to(arn), &policy.tags),
        None => Ask::to(arn),
    })
}

/// About all entities below a path.
pub(crate) fn below<E: Entity>(call: &Call<'_>, prefix: Option<&str>) -> Ask {
    Ask::to(format!("arn:aws:iam::{}:{}{}", call.scope.account, E::KIND, prefix.unwrap_or("/")))
}

/// About handing a role to a service (`ec2.amazonaws.com`) for something of that ARN.
///
/// # Errors
/// Records cannot be read.
pub fn pass_role(state: Reads<'_>, role_arn: &str, service: &str, associated: &str) -> Result<Ask, Fault> {
    let ask = Ask::to(role_arn).action("iam:PassRole").key("iam:PassedToService", service);
    let ask = ask.key("iam:AssociatedResourceArn", associated);
    Ok(match find::role_by_arn(state, role_arn)? {
        Some((_, role)) => tagged(ask, &role.tags),
        None => ask,
    })
}

/// About handing over the role of an instance profile of an account; nothing, where the profile has none or is none (the
/// call itself says so).
///
/// # Errors
/// Records cannot be read.
pub fn pass_profile(
    state: Reads<'_>,
    account: &str,
    name_or_arn: &str,
    service: &str,
    associated: &str,
) -> Result<Option<Ask>, Fault> {
    let scope = Scope::new(account, "global");
    match find::role_of_profile(state, account, name_or_arn)? {
        Some((_, Some(role))) => pass_role(state, &role.arn(&scope.account), service, associated).map(Some),
        // The role is named, and cannot be found: whoever may pass all roles may pass this one.
        Some((profile, None)) => match profile.role {
            Some(name) => {
                pass_role(state, &format!("arn:aws:iam::{account}:role/{name}"), service, associated).map(Some)
            }
            None => Ok(None),
        },
        None => Ok(None),
    }
}

fn tagged(ask: Ask, tags: &Tags) -> Ask {
    ask.tagged_as("iam:ResourceTag", tags)
}
