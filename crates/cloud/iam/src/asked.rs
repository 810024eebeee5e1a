//! What IAM's operations ask the policies: which entity, with which tags and which boundary.
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html>

use eksile_aws::inputs::{Tag, TagRules};
use eksile_aws::{Ask, Call, Fault, Reads};
use eksile_store::Record;

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

/// The keys of tags that a call changes: those given, and those there that they mean, whatever their capitals.
pub(crate) fn tag_keys<E: Entity>(
    call: &Call<'_>,
    state: Reads<'_>,
    name: &str,
    given: &[String],
) -> Result<Vec<String>, Fault> {
    let entity = state.record::<E>(&call.scope, name)?;
    let there = entity.iter().flat_map(|entity| entity.entity_tags().keys());
    let meant = there.filter(|key| !given.contains(key) && given.iter().any(|one| TagRules::IAM.same(one, key)));
    Ok(given.iter().chain(meant).cloned().collect())
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

/// About the user or role of an ARN; about the ARN alone, where there is none in the caller's account.
pub(crate) fn principal(call: &Call<'_>, state: Reads<'_>, arn: &str) -> Result<Ask, Fault> {
    let user = find::user_by_arn(state, arn)?.filter(|(scope, _)| *scope == call.scope);
    let role = find::role_by_arn(state, arn)?.filter(|(scope, _)| *scope == call.scope);
    let tags = user.map(|(_, user)| user.tags).or(role.map(|(_, role)| role.tags));
    Ok(match tags {
        Some(tags) => tagged(Ask::to(arn), &tags),
        None => Ask::to(arn),
    })
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
/// The role is another account's, which nobody may pass; records cannot be read.
pub fn pass_role(
    call: &Call<'_>,
    state: Reads<'_>,
    role_arn: &str,
    service: &str,
    associated: &str,
) -> Result<Ask, Fault> {
    own_role(call, role_arn)?;
    let ask = Ask::to(role_arn).action("iam:PassRole").key("iam:PassedToService", service);
    let ask = ask.key("iam:AssociatedResourceArn", associated);
    Ok(match find::role_by_arn(state, role_arn)? {
        Some((_, role)) => tagged(ask, &role.tags),
        None => ask,
    })
}

/// Refuses a role of another account: its name must not be enough to put it behind something of one's own.
///
/// # Errors
/// `AccessDeniedException`.
pub fn own_role(call: &Call<'_>, role_arn: &str) -> Result<(), Fault> {
    match role_arn.strip_prefix("arn:aws:iam::").and_then(|rest| rest.split_once(':')) {
        Some((account, _)) if account != call.scope.account => {
            Err(Fault::client("AccessDeniedException", 403, "Cross-account pass role is not allowed."))
        }
        _ => Ok(()),
    }
}

/// About handing over the role of an instance profile of the caller's account; nothing, where the profile has none or is none (the
/// call itself says so).
///
/// # Errors
/// Records cannot be read.
pub fn pass_profile(
    call: &Call<'_>,
    state: Reads<'_>,
    name_or_arn: &str,
    service: &str,
    associated: &str,
) -> Result<Option<Ask>, Fault> {
    let account = &*call.scope.account;
    match find::role_of_profile(state, account, name_or_arn)? {
        Some((_, Some(role))) => pass_role(call, state, &role.arn(account), service, associated).map(Some),
        // The role is named, and cannot be found: whoever may pass all roles may pass this one.
        Some((profile, None)) => match profile.role {
            Some(name) => {
                pass_role(call, state, &format!("arn:aws:iam::{account}:role/{name}"), service, associated).map(Some)
            }
            None => Ok(None),
        },
        None => Ok(None),
    }
}

fn tagged(ask: Ask, tags: &Tags) -> Ask {
    ask.tagged_as("iam:ResourceTag", tags)
}
