//! Temporary credentials.

use eksile_aws::{Mint, Origin, Reads, SessionFacts};
use eksile_store::{RecordError, Scope, Txn};
use jiff::{SignedDuration, Timestamp};

use crate::records::{KeyOwner, Role, Session};
use crate::{find, trust};

const SECRET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// Instance credentials live as long as EC2's.
const INSTANCE: SignedDuration = SignedDuration::from_hours(6);
/// How many old sessions each new one looks at; their keys are random, so any few will do.
const SWEPT: usize = 8;

/// Temporary credentials, as they are told to their holder. The debug form shows no secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// `ASIA…`.
    pub access_key_id: String,
    /// The secret.
    pub secret_access_key: String,
    /// What must accompany it.
    pub session_token: String,
    /// Wall time.
    pub expiration: Timestamp,
}

/// Why an instance gets no credentials.
#[derive(Debug, thiserror::Error)]
pub enum NoCredentials {
    /// There is no such instance profile, or it has no role.
    #[error("no role behind {0}")]
    NoRole(String),
    /// The profile of that name is another one than the instance was launched with.
    #[error("{0} is not the instance profile that the instance was launched with")]
    OtherProfile(String),
    /// The role's trust policy does not let EC2 assume it.
    #[error("EC2 cannot assume the role {0}. The trust policy of the role does not allow ec2.amazonaws.com to")]
    NotTrusted(String),
    /// A stored record is not readable.
    #[error(transparent)]
    Record(#[from] RecordError),
}

/// An instance that asks for the credentials of its role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bearer<'a> {
    /// Names the session.
    pub instance_id: &'a str,
    /// The Region of the instance.
    pub region: &'a str,
    /// The profile that it was launched with.
    pub profile_arn: &'a str,
    /// That profile's id: one made anew under its name is another.
    pub profile_id: &'a str,
    /// Where the instance is.
    pub origin: Origin,
}

/// A secret access key: 40 characters.
pub(crate) fn secret(mint: &dyn Mint) -> String {
    mint.text(SECRET, 40)
}

/// A session to be opened.
pub(crate) struct Opening<'a> {
    pub(crate) scope: &'a Scope,
    pub(crate) role: &'a Role,
    pub(crate) name: &'a str,
    pub(crate) lifetime: SignedDuration,
    pub(crate) policies: Vec<String>,
    pub(crate) facts: SessionFacts,
}

/// Opens a session and sweeps up a few that ended.
pub(crate) fn open(
    txn: &mut Txn<'_>,
    mint: &dyn Mint,
    wall: Timestamp,
    opening: Opening<'_>,
) -> Result<Credentials, RecordError> {
    let Opening { scope, role, name, lifetime, policies, mut facts } = opening;
    facts.issued = wall.as_second();
    let expiration = Timestamp::from_second((wall + lifetime).as_second()).unwrap_or(Timestamp::MAX);
    let session = Session {
        access_key_id: mint.principal("ASIA")[..20].to_owned(),
        secret: secret(mint),
        // Opaque, and long enough that nobody guesses it.
        token: mint.text(SECRET, 120),
        expires: expiration.as_second(),
        role: role.name.clone(),
        role_id: role.role_id.clone(),
        name: name.to_owned(),
        policies,
        facts,
    };
    sweep(txn, scope, &session.access_key_id, wall)?;
    let owner = KeyOwner { access_key_id: session.access_key_id.clone(), account: scope.account.clone() };
    txn.put_record(&KeyOwner::scope(), &owner)?;
    txn.put_record(scope, &session)?;
    Ok(Credentials {
        access_key_id: session.access_key_id,
        secret_access_key: session.secret,
        session_token: session.token,
        expiration,
    })
}

fn sweep(txn: &mut Txn<'_>, scope: &Scope, after: &str, wall: Timestamp) -> Result<(), RecordError> {
    let prefix = scope.prefix::<Session>();
    for entry in txn.scan(&prefix, Some(&scope.key::<Session>(after)), SWEPT) {
        let session: Session = entry.decode()?;
        if session.expires <= wall.as_second() {
            txn.delete(&entry.key);
            txn.delete_record::<KeyOwner>(&KeyOwner::scope(), &session.access_key_id);
        }
    }
    Ok(())
}

/// Credentials of the role behind an instance's profile, for the instance's metadata service: the session is named after
/// the instance, and ends after six hours of wall time. Not behind any public operation.
///
/// # Errors
/// There is no such profile (any more), it has no role, or the role does not trust EC2.
pub fn instance_credentials(
    txn: &mut Txn<'_>,
    mint: &dyn Mint,
    wall: Timestamp,
    bearer: &Bearer<'_>,
) -> Result<Credentials, NoCredentials> {
    let none = || NoCredentials::NoRole(bearer.profile_arn.to_owned());
    let account = bearer.profile_arn.split(':').nth(4).ok_or_else(none)?;
    let found = find::role_of_profile(Reads::of(txn), account, bearer.profile_arn)?;
    let (profile, role) = found.ok_or_else(none)?;
    if profile.instance_profile_id != bearer.profile_id {
        return Err(NoCredentials::OtherProfile(bearer.profile_arn.to_owned()));
    }
    let role = role.ok_or_else(none)?;
    if !trust::ec2_may_assume(&role, bearer.region, wall) {
        return Err(NoCredentials::NotTrusted(role.arn(account)));
    }
    let scope = find::scope_of(account).ok_or_else(none)?;
    let facts = SessionFacts { origin: Some(bearer.origin.clone()), ..SessionFacts::default() };
    let (name, policies) = (bearer.instance_id, Vec::new());
    let opening = Opening { scope: &scope, role: &role, name, lifetime: INSTANCE, policies, facts };
    Ok(open(txn, mint, wall, opening)?)
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}
