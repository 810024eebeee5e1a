//! Finding entities by name or ARN.

use eksile_aws::policy::{Document, is_account};
use eksile_aws::{Call, Fault, Principal, Reads};
use eksile_store::{Record, RecordError, Scope};

use crate::directory;
use crate::managed::Managed;
use crate::records::{AccessKey, Grants, InstanceProfile, Policy, PolicyVersion, Role, User};

pub(crate) fn user(state: Reads<'_>, scope: &Scope, name: &str) -> Result<User, Fault> {
    state.record(scope, name)?.ok_or_else(|| missing(format!("The user with name {name} cannot be found.")))
}

pub(crate) fn role(state: Reads<'_>, scope: &Scope, name: &str) -> Result<Role, Fault> {
    state.record(scope, name)?.ok_or_else(|| missing(format!("The role with name {name} cannot be found.")))
}

pub(crate) fn instance_profile(state: Reads<'_>, scope: &Scope, name: &str) -> Result<InstanceProfile, Fault> {
    state.record(scope, name)?.ok_or_else(|| missing(format!("Instance Profile {name} cannot be found.")))
}

/// The caller's own account's policy of that ARN; those of AWS are not records.
pub(crate) fn policy(state: Reads<'_>, scope: &Scope, arn: &str) -> Result<Policy, Fault> {
    let found = match directory::customer_managed(arn).filter(|(owner, _)| owner == scope) {
        Some((_, name)) => state.record::<Policy>(scope, name)?.filter(|policy| policy.arn(&scope.account) == arn),
        None => None,
    };
    found.ok_or_else(|| missing(format!("Policy {arn} was not found.")))
}

/// Whether a managed policy can be attached by this account.
pub(crate) fn attachable(state: Reads<'_>, scope: &Scope, arn: &str) -> Result<(), Fault> {
    if Managed::by_arn(arn).is_some() {
        return Ok(());
    }
    let attachable = policy(state, scope, arn).map(|_| ());
    attachable.map_err(|_| missing(format!("Policy {arn} does not exist or is not attachable.")))
}

/// Refuses a second entity of the same name; names do not depend on case.
pub(crate) fn unused<R: Record>(state: Reads<'_>, scope: &Scope, kind: &str, name: &str) -> Result<(), Fault> {
    if state.records::<R>(scope)?.iter().any(|record| record.id().eq_ignore_ascii_case(name)) {
        return Err(Fault::client("EntityAlreadyExists", 409, format!("{kind} with name {name} already exists.")));
    }
    Ok(())
}

/// `NoSuchEntity`.
pub(crate) fn missing(message: impl Into<String>) -> Fault {
    Fault::client("NoSuchEntity", 404, message)
}

/// `DeleteConflict`: what must be done first.
pub(crate) fn conflict(first: &str) -> Fault {
    Fault::client("DeleteConflict", 409, format!("Cannot delete entity, must {first} first."))
}

/// Refuses to delete who still has policies.
pub(crate) fn without_policies(grants: &Grants) -> Result<(), Fault> {
    if !grants.attached.is_empty() {
        return Err(conflict("detach all policies"));
    }
    if !grants.inline.is_empty() {
        return Err(conflict("delete policies"));
    }
    Ok(())
}

/// Where a policy goes: each place has its quota, in characters that are no blanks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Managed,
    UserInline,
    RoleInline,
    Trust,
    Session,
}

/// Checks a policy for identities.
pub(crate) fn document(text: &str, place: Place) -> Result<(), Fault> {
    not_longer(text, place)?;
    let checked = Document::identity(text).map(|_| ());
    checked.map_err(|error| Fault::client("MalformedPolicyDocument", 400, error.to_string()))
}

/// Refuses what is beyond the quota.
pub(crate) fn not_longer(text: &str, place: Place) -> Result<(), Fault> {
    let (quota, most) = match place {
        Place::Managed => ("PolicySize", 6_144),
        Place::UserInline => ("InlinePolicySizePerUser", 2_048),
        Place::RoleInline => ("InlinePolicySizePerRole", 10_240),
        Place::Trust => ("ACLSizePerRole", 2_048),
        Place::Session => ("SessionPolicySize", 2_048),
    };
    if text.chars().filter(|letter| !letter.is_whitespace()).count() > most {
        return Err(Fault::client("LimitExceeded", 409, format!("Cannot exceed quota for {quota}: {most}")));
    }
    Ok(())
}

/// Where the entities of an account are that a foreign text (an ARN) names; `None` of what is no account's id: no other
/// text becomes part of a key.
pub(crate) fn scope_of(account: &str) -> Option<Scope> {
    is_account(account).then(|| Scope::new(account, "global"))
}

/// The role of an ARN, in whichever account, with that account's scope.
///
/// # Errors
/// A stored record is not readable.
pub fn role_by_arn(state: Reads<'_>, arn: &str) -> Result<Option<(Scope, Role)>, RecordError> {
    let Some((account, rest)) = arn.strip_prefix("arn:aws:iam::").and_then(|rest| rest.split_once(':')) else {
        return Ok(None);
    };
    let Some(name) = rest.strip_prefix("role/").and_then(|rest| rest.rsplit('/').next()) else { return Ok(None) };
    let Some(scope) = scope_of(account) else { return Ok(None) };
    let role = state.record::<Role>(&scope, name)?.filter(|role| role.arn(account) == arn);
    Ok(role.map(|role| (scope, role)))
}

/// The user of an ARN, in whichever account, with that account's scope.
pub(crate) fn user_by_arn(state: Reads<'_>, arn: &str) -> Result<Option<(Scope, User)>, RecordError> {
    let Some((account, rest)) = arn.strip_prefix("arn:aws:iam::").and_then(|rest| rest.split_once(':')) else {
        return Ok(None);
    };
    let Some(name) = rest.strip_prefix("user/").and_then(|rest| rest.rsplit('/').next()) else { return Ok(None) };
    let Some(scope) = scope_of(account) else { return Ok(None) };
    let user = state.record::<User>(&scope, name)?.filter(|user| user.arn(account) == arn);
    Ok(user.map(|user| (scope, user)))
}

/// The instance profile of a name or an ARN in an account, and its role, if it has one.
///
/// # Errors
/// A stored record is not readable.
pub fn role_of_profile(
    state: Reads<'_>,
    account: &str,
    name_or_arn: &str,
) -> Result<Option<(InstanceProfile, Option<Role>)>, RecordError> {
    let Some(scope) = scope_of(account) else { return Ok(None) };
    let name = name_or_arn.rsplit('/').next().unwrap_or(name_or_arn);
    let is_arn = name_or_arn.starts_with("arn:");
    let profile = state.record::<InstanceProfile>(&scope, name)?;
    let Some(profile) = profile.filter(|profile| !is_arn || profile.arn(account) == name_or_arn) else {
        return Ok(None);
    };
    let role = match &profile.role {
        Some(name) => state.record::<Role>(&scope, name)?,
        None => None,
    };
    Ok(Some((profile, role)))
}

/// The name of the user meant: the one given, else the caller.
pub(crate) fn user_or_caller<'a>(given: Option<&'a str>, call: &'a Call<'_>) -> Result<&'a str, Fault> {
    match (given, &call.caller.principal) {
        (Some(name), _) => Ok(name),
        (None, Principal::User { name }) => Ok(name),
        (None, _) => {
            let message = "Must specify userName when calling with non-User credentials";
            Err(Fault::client("ValidationError", 400, message))
        }
    }
}

/// A user's key.
pub(crate) fn access_key(
    state: Reads<'_>,
    call: &Call<'_>,
    user_name: Option<&str>,
    id: &str,
) -> Result<AccessKey, Fault> {
    let name = user_or_caller(user_name, call)?;
    let key = state.record::<AccessKey>(&call.scope, id)?.filter(|key| key.user == name);
    key.ok_or_else(|| missing(format!("The Access Key with id {id} cannot be found.")))
}

/// A user's or role's inline policy.
pub(crate) fn inline<'a>(grants: &'a Grants, kind: &str, name: &str) -> Result<&'a str, Fault> {
    let document = grants.inline.get(name).map(String::as_str);
    document.ok_or_else(|| missing(format!("The {kind} policy with name {name} cannot be found.")))
}

/// A policy that the account may change: not one of AWS's.
pub(crate) fn own_policy(state: Reads<'_>, scope: &Scope, arn: &str) -> Result<Policy, Fault> {
    if Managed::by_arn(arn).is_some() {
        return Err(Fault::client("AccessDenied", 403, format!("{arn} is managed by AWS and cannot be changed.")));
    }
    policy(state, scope, arn)
}

/// A version of a policy by its id, `vN`.
pub(crate) fn version<'a>(policy: &'a Policy, arn: &str, id: &str) -> Result<&'a PolicyVersion, Fault> {
    let number = id.strip_prefix('v').and_then(|number| number.parse().ok());
    number.and_then(|number| policy.version(number)).ok_or_else(|| no_version(arn, id))
}

pub(crate) fn no_version(arn: &str, id: &str) -> Fault {
    missing(format!("Policy {arn} version {id} does not exist or is not attachable."))
}

#[cfg(test)]
mod tests {
    use eksile_store::Store;

    use super::*;
    use crate::records::Tags;

    /// The account of an ARN is foreign text: nothing but twelve digits becomes part of a key.
    #[tokio::test]
    async fn an_account_in_an_arn_is_twelve_digits() {
        let store = Store::in_memory();
        let good = "111122223333";
        let bad = ["", "keys", "aws", "1111222233334", "11112222333x", "1111/global/iam/role", "observed"];
        for account in bad.into_iter().chain([good]) {
            let (name, path) = (|| "r".to_owned(), || "/".to_owned());
            let profile = InstanceProfile {
                name: name(),
                path: path(),
                instance_profile_id: String::new(),
                role: Some(name()),
                created: 0,
                tags: Tags::new(),
            };
            let role = Role {
                name: name(),
                path: path(),
                role_id: String::new(),
                trust: String::new(),
                trusted: std::collections::BTreeMap::new(),
                description: None,
                max_session: 3600,
                created: 0,
                grants: Grants::default(),
                tags: Tags::new(),
            };
            let put = |txn: &mut eksile_store::Txn<'_>| {
                let scope = Scope::new(account, "global");
                txn.put_record(&scope, &role)?;
                txn.put_record(&scope, &profile)
            };
            store.write(put).await.unwrap();
            let (view, there) = (store.view(), account == good);
            let state = Reads::of(&view);
            let arn = |resource: &str| format!("arn:aws:iam::{account}:{resource}");
            assert_eq!(role_by_arn(state, &arn("role/r")).unwrap().is_some(), there, "{account}");
            assert_eq!(role_of_profile(state, account, "r").unwrap().is_some(), there, "{account}");
            assert_eq!(directory::customer_managed(&arn("policy/p")).is_some(), there, "{account}");
        }
    }
}
