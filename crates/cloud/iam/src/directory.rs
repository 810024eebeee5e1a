//! Credentials and policies, for the door.

use std::sync::Arc;

use eksile_aws::{Caller, Credential, Directory, Policies, Principal, Reads};
use eksile_store::{RecordError, Scope};
use jiff::Timestamp;

use crate::compiled::Compiled;
use crate::find;
use crate::managed::Managed;
use crate::records::{AccessKey, KeyOwner, Policy, Role, Session, User};

/// The door's view of IAM. Clones share what they have compiled.
#[derive(Default, Clone)]
pub struct IamDirectory(Arc<Compiled>);

impl std::fmt::Debug for IamDirectory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IamDirectory").finish_non_exhaustive()
    }
}

impl Directory for IamDirectory {
    fn credential(&self, state: Reads<'_>, access_key_id: &str) -> Result<Option<Credential>, RecordError> {
        let Some(owner) = state.record::<KeyOwner>(&KeyOwner::scope(), access_key_id)? else { return Ok(None) };
        let scope = Scope::new(owner.account, "global");
        match state.record::<AccessKey>(&scope, access_key_id)? {
            Some(key) => long_term(state, &scope, key),
            None => match state.record::<Session>(&scope, access_key_id)? {
                Some(session) => temporary(state, &scope, session),
                None => Ok(None),
            },
        }
    }

    fn policies(&self, state: Reads<'_>, caller: &Caller) -> Result<Policies, RecordError> {
        let scope = Scope::new(&*caller.account, "global");
        let compiled = &self.0;
        let (identity, session) = match &caller.principal {
            Principal::Root => return Ok(Policies::default()),
            Principal::User { name } => (compiled.user(state, &scope, name)?, &[][..]),
            Principal::Role { name, policies, .. } => (compiled.role(state, &scope, name)?, &policies[..]),
        };
        // Whoever is made anew under an old name is somebody else.
        let Some(identity) = identity.filter(|identity| identity.id == caller.principal_id()) else {
            return Ok(Policies::default());
        };
        let mut policies = compiled.policies(state, &identity)?;
        policies.session = session.iter().map(|text| compiled.text(text)).collect();
        Ok(policies)
    }
}

fn long_term(state: Reads<'_>, scope: &Scope, key: AccessKey) -> Result<Option<Credential>, RecordError> {
    let Some(user) = state.record::<User>(scope, &key.user)?.filter(|_| key.active) else { return Ok(None) };
    let caller = Caller {
        account: scope.account.clone(),
        arn: user.arn(&scope.account),
        user_id: user.user_id,
        access_key_id: key.access_key_id,
        principal: Principal::User { name: user.name },
    };
    Ok(Some(Credential { secret: key.secret, session_token: None, expires: None, caller }))
}

fn temporary(state: Reads<'_>, scope: &Scope, session: Session) -> Result<Option<Credential>, RecordError> {
    let role = state.record::<Role>(scope, &session.role)?.filter(|role| role.role_id == session.role_id);
    let (Some(role), Ok(expires)) = (role, Timestamp::from_second(session.expires)) else { return Ok(None) };
    let caller = Caller {
        account: scope.account.clone(),
        arn: format!("arn:aws:sts::{}:assumed-role/{}/{}", scope.account, role.name, session.name),
        user_id: format!("{}:{}", role.role_id, session.name),
        access_key_id: session.access_key_id,
        principal: Principal::Role {
            role_arn: role.arn(&scope.account),
            name: role.name,
            session: session.name,
            policies: session.policies,
            facts: Box::new(session.facts),
        },
    };
    let (secret, session_token) = (session.secret, Some(session.token));
    Ok(Some(Credential { secret, session_token, expires: Some(expires), caller }))
}

/// The text in force of an AWS- or customer-managed policy.
pub(crate) fn text_in_force(state: Reads<'_>, arn: &str) -> Result<Option<String>, RecordError> {
    if let Some(managed) = Managed::by_arn(arn) {
        return Ok(Some(managed.text().to_owned()));
    }
    let Some((scope, name)) = customer_managed(arn) else { return Ok(None) };
    let policy = state.record::<Policy>(&scope, name)?.filter(|policy| policy.arn(&scope.account) == arn);
    Ok(policy.and_then(|policy| policy.version(policy.default_version).map(|version| version.document.clone())))
}

/// Scope and name of `arn:aws:iam::A:policy/PATH/NAME`.
pub(crate) fn customer_managed(arn: &str) -> Option<(Scope, &str)> {
    let (account, rest) = arn.strip_prefix("arn:aws:iam::")?.split_once(':')?;
    let name = rest.strip_prefix("policy/")?.rsplit('/').next()?;
    Some((find::scope_of(account)?, name))
}
