//! Whom STS knows behind a token, and the ARN under which clusters map them.

use serde_json::Value;

/// A caller as GetCallerIdentity names them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    /// As STS says it.
    pub(super) arn: String,
    /// An assumed role's ARN becomes the role's (without path: STS does not tell it).
    pub(super) canonical: String,
    /// Account.
    pub(super) account: String,
    /// Unique id: `AIDA…`, `AROA…`, the account for root.
    pub(super) principal: String,
    /// Session name of an assumed role; empty for others.
    pub(super) session: String,
    /// The access key.
    pub(super) access_key: String,
    /// The instance that the credentials were given to, if they are an instance's.
    pub(super) instance: Option<String>,
}

impl Identity {
    /// Reads STS's JSON answer, and what it says of the instance that the credentials were given to.
    pub(super) fn read(answer: &Value, source: Option<&str>, access_key: &str) -> Result<Self, String> {
        let result =
            answer.pointer("/GetCallerIdentityResponse/GetCallerIdentityResult").ok_or("unexpected answer of STS")?;
        let text = |name: &str| result.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (arn, account, user) = (text("Arn"), text("Account"), text("UserId"));
        let canonical = canonical(&arn)?;
        let (principal, session) = if arn.contains(":assumed-role/") {
            let parts: Vec<&str> = user.split(':').collect();
            let [principal, session] = parts[..] else { return Err(format!("malformed UserID {user:?}")) };
            (principal.to_owned(), session.to_owned())
        } else {
            (user, String::new())
        };
        let instance = source.and_then(|arn| instance(arn, &account, &session)).map(str::to_owned);
        Ok(Self { arn, canonical, account, principal, session, access_key: access_key.to_owned(), instance })
    }
}

/// The id of the instance of an ARN, if it is the account's and the session is named after it.
fn instance<'a>(arn: &'a str, account: &str, session: &str) -> Option<&'a str> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", _, "ec2", _, owner, resource] = parts[..] else { return None };
    resource.strip_prefix("instance/").filter(|id| owner == account && *id == session)
}

/// The ARN under which a principal is mapped.
pub(super) fn canonical(arn: &str) -> Result<String, String> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", partition, service, _, account, resource] = parts[..] else {
        return Err(format!("arn '{arn}' is invalid"));
    };
    let kind = resource.split('/').next().unwrap_or_default();
    match (service, kind) {
        ("iam", "user" | "role" | "root") | ("sts", "federated-user") => Ok(arn.to_owned()),
        ("sts", "assumed-role") => {
            let parts: Vec<&str> = resource.split('/').collect();
            if parts.len() < 3 {
                return Err(format!("assumed-role arn '{arn}' does not have a role"));
            }
            let role = parts[1..parts.len() - 1].join("/");
            Ok(format!("arn:{partition}:iam::{account}:role/{role}"))
        }
        _ => Err(format!("unrecognized arn '{arn}'")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assumed_roles_become_roles() {
        let of = |arn: &str| canonical(arn).unwrap();
        assert_eq!(of("arn:aws:sts::1:assumed-role/R/S"), "arn:aws:iam::1:role/R");
        assert_eq!(of("arn:aws:iam::1:user/x"), "arn:aws:iam::1:user/x");
        assert_eq!(of("arn:aws:iam::1:root"), "arn:aws:iam::1:root");
        assert!(canonical("arn:aws:s3:::bucket").is_err() && canonical("nonsense").is_err());
    }

    #[test]
    fn a_session_has_two_parts() {
        let answer = |user: &str| {
            serde_json::json!({"GetCallerIdentityResponse": {"GetCallerIdentityResult": {
                "Arn": "arn:aws:sts::1:assumed-role/R/i-1", "Account": "1", "UserId": user
            }}})
        };
        assert_eq!(Identity::read(&answer("AROA:i-1"), None, "AK").unwrap().session, "i-1");
        assert!(Identity::read(&answer("AROA"), None, "AK").is_err());
    }

    #[test]
    fn a_session_named_like_an_instance_is_not_one() {
        let answer = serde_json::json!({"GetCallerIdentityResponse": {"GetCallerIdentityResult": {
            "Arn": "arn:aws:sts::1:assumed-role/R/i-1", "Account": "1", "UserId": "AROA:i-1"
        }}});
        let of = |source: Option<&str>| Identity::read(&answer, source, "AK").unwrap().instance;
        assert_eq!(of(Some("arn:aws:ec2:us-west-2:1:instance/i-1")).as_deref(), Some("i-1"));
        for other in [
            None,
            Some("arn:aws:ec2:us-west-2:1:instance/i-2"),
            Some("arn:aws:ec2:us-west-2:2:instance/i-1"),
            Some("arn:aws:ec2:us-west-2:1:volume/i-1"),
            Some("i-1"),
        ] {
            assert_eq!(of(other), None, "{other:?}");
        }
    }
}
