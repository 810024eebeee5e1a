//! Trust policies of roles.

use eksile_aws::policy::Document;
use eksile_aws::{Fault, Reads};
use eksile_store::Scope;

use crate::find;
use crate::records::User;

/// Checks a trust policy: its form, and that the users and roles that it names exist.
pub(crate) fn check(state: Reads<'_>, text: &str) -> Result<(), Fault> {
    find::not_longer(text, find::Place::Trust)?;
    let document = Document::trust(text).map_err(|error| malformed(error.to_string()))?;
    for named in document.principals().flat_map(|principals| &principals.aws) {
        if !exists(state, named)? {
            return Err(malformed(format!("Invalid principal in policy: \"AWS\":\"{named}\"")));
        }
    }
    Ok(())
}

fn malformed(message: String) -> Fault {
    Fault::client("MalformedPolicyDocument", 400, message)
}

/// Accounts, sessions and ids are taken as they are.
fn exists(state: Reads<'_>, named: &str) -> Result<bool, Fault> {
    let Some((account, rest)) = named.strip_prefix("arn:aws:iam::").and_then(|rest| rest.split_once(':')) else {
        return Ok(true);
    };
    if rest.starts_with("role/") {
        return Ok(find::role_by_arn(state, named)?.is_some());
    }
    let Some(name) = rest.strip_prefix("user/").and_then(|rest| rest.rsplit('/').next()) else {
        return Ok(rest == "root");
    };
    let user = state.record::<User>(&Scope::new(account, "global"), name)?;
    Ok(user.is_some_and(|user| user.arn(account) == named))
}

/// The longest session of a role, in seconds.
pub(crate) fn session_length(asked: Option<i64>) -> Result<i64, Fault> {
    match asked.unwrap_or(3600) {
        seconds @ 3600..=43200 => Ok(seconds),
        other => {
            let message = format!(
                "1 validation error detected: Value '{other}' at 'maxSessionDuration' failed to satisfy constraint: \
                 Member must have value between 3600 and 43200"
            );
            Err(Fault::client("ValidationError", 400, message))
        }
    }
}
