//! The first user of an account.

use eksile_aws::Mint;
use eksile_store::{RecordError, Scope, Txn};
use jiff::Timestamp;

use crate::records::{AccessKey, Grants, KeyOwner, Tags, User};
use crate::sessions::secret;

const ADMIN: &str = "admin";

/// Makes the account's user `admin` with full rights, unless it is there, and sees to it that it has a key: the one
/// given (id and secret), or else any active one it has, or else a new one. Answers id and secret.
///
/// # Errors
/// A stored record is not readable.
pub fn seed(
    txn: &mut Txn<'_>,
    mint: &dyn Mint,
    now: Timestamp,
    account: &str,
    key: Option<(String, String)>,
) -> Result<(String, String), RecordError> {
    let scope = Scope::new(account, "global");
    if txn.record::<User>(&scope, ADMIN)?.is_none() {
        let attached = vec!["arn:aws:iam::aws:policy/AdministratorAccess".to_owned()];
        let user = User {
            name: ADMIN.to_owned(),
            path: "/".to_owned(),
            user_id: mint.principal("AIDA"),
            created: now.as_second(),
            grants: Grants { attached, ..Grants::default() },
            tags: Tags::new(),
        };
        txn.put_record(&scope, &user)?;
    }
    let (access_key_id, secret) = match key {
        Some(given) => given,
        None => {
            let keys = txn.records::<AccessKey>(&scope)?;
            if let Some(key) = keys.into_iter().find(|key| key.user == ADMIN && key.active) {
                return Ok((key.access_key_id, key.secret));
            }
            (mint.principal("AKIA")[..20].to_owned(), secret(mint))
        }
    };
    let key = AccessKey { access_key_id, secret, user: ADMIN.to_owned(), active: true, created: now.as_second() };
    if txn.record::<AccessKey>(&scope, &key.access_key_id)?.is_none_or(|kept| kept.secret != key.secret || !kept.active)
    {
        let owner = KeyOwner { access_key_id: key.access_key_id.clone(), account: account.to_owned() };
        txn.put_record(&KeyOwner::scope(), &owner)?;
        txn.put_record(&scope, &key)?;
    }
    Ok((key.access_key_id, key.secret))
}
