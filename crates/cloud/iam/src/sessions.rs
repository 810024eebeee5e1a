//! Temporary credentials.

use eksile_aws::{Mint, Reads};
use eksile_store::{RecordError, Scope, Txn};
use jiff::{SignedDuration, Timestamp};

use crate::find;
use crate::records::{KeyOwner, Role, Session};

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
    /// A stored record is not readable.
    #[error(transparent)]
    Record(#[from] RecordError),
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
}

/// Opens a session and sweeps up a few that ended.
pub(crate) fn open(
    txn: &mut Txn<'_>,
    mint: &dyn Mint,
    wall: Timestamp,
    opening: Opening<'_>,
) -> Result<Credentials, RecordError> {
    let Opening { scope, role, name, lifetime, policies } = opening;
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

/// Credentials of the role behind an instance profile, for the instance's metadata service: the session is named
/// after the instance, and ends after six hours of wall time. Not behind any public operation.
///
/// # Errors
/// There is no such profile, or it has no role.
pub fn instance_credentials(
    txn: &mut Txn<'_>,
    mint: &dyn Mint,
    wall: Timestamp,
    instance_profile_arn: &str,
    instance_id: &str,
) -> Result<Credentials, NoCredentials> {
    let none = || NoCredentials::NoRole(instance_profile_arn.to_owned());
    let account = instance_profile_arn.split(':').nth(4).ok_or_else(none)?;
    let found = find::role_of_profile(Reads::of(txn), account, instance_profile_arn)?;
    let role = found.and_then(|(_, role)| role).ok_or_else(none)?;
    let scope = Scope::new(account, "global");
    let opening = Opening { scope: &scope, role: &role, name: instance_id, lifetime: INSTANCE, policies: Vec::new() };
    Ok(open(txn, mint, wall, opening)?)
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}
