//! Elements of a statement, and what AWS lets them be.

use std::collections::BTreeSet;

use serde_json::Value;

use super::document::{MalformedPolicy, Principals, Use, malformed};

/// A text, or a list of at least one.
pub(crate) fn texts(value: Value) -> Result<Vec<String>, MalformedPolicy> {
    match value {
        Value::String(text) => Ok(vec![text]),
        Value::Array(items) if !items.is_empty() => {
            let text = |item| if let Value::String(text) = item { Some(text) } else { None };
            items.into_iter().map(text).collect::<Option<_>>().map_or_else(|| malformed("Syntax errors in policy."), Ok)
        }
        _ => malformed("Syntax errors in policy."),
    }
}

/// Statement ids are texts, each once in a policy.
pub(crate) fn check_sids(statements: &[Value]) -> Result<(), MalformedPolicy> {
    let mut seen = BTreeSet::new();
    for sid in statements.iter().filter_map(|statement| statement.get("Sid")) {
        let Some(sid) = sid.as_str() else { return malformed("Syntax errors in policy.") };
        if !sid.is_empty() && !seen.insert(sid) {
            return malformed("Statement IDs (SID) in a single policy must be unique.");
        }
    }
    Ok(())
}

impl Principals {
    /// Whether nobody but identity providers' users are meant.
    pub(crate) fn is_federated_only(&self) -> bool {
        !self.anyone && self.aws.is_empty() && self.services.is_empty()
    }
}

pub(crate) fn principals(value: Value) -> Result<Principals, MalformedPolicy> {
    match value {
        Value::String(text) if text == "*" => Ok(Principals { anyone: true, ..Principals::default() }),
        Value::Object(members) if !members.is_empty() => {
            let mut principals = Principals::default();
            for (kind, value) in members {
                let list = texts(value)?;
                match kind.as_str() {
                    "AWS" => principals.aws = list,
                    "Service" => principals.services = list,
                    "Federated" => principals.federated = list,
                    _ => return malformed(format!("Invalid principal in policy: {kind}")),
                }
            }
            check_principals(&principals)?;
            Ok(principals)
        }
        _ => malformed("Invalid principal in policy"),
    }
}

/// An AWS principal is an account, an ARN of IAM or STS, an id of one that is gone, or `*`.
fn check_principals(principals: &Principals) -> Result<(), MalformedPolicy> {
    for named in &principals.aws {
        let arn = named.starts_with("arn:aws:iam::") || named.starts_with("arn:aws:sts::");
        if named != "*" && !is_account(named) && !is_unique_id(named) && (!arn || named.contains(['*', '?', '$'])) {
            return malformed(format!("Invalid principal in policy: \"AWS\":\"{named}\""));
        }
    }
    for service in &principals.services {
        if !service.ends_with(".amazonaws.com") && !service.ends_with(".aws.internal") {
            return malformed(format!("Invalid principal in policy: \"SERVICE\":\"{service}\""));
        }
    }
    Ok(())
}

/// Whether a text is an account's id: twelve digits.
#[must_use]
pub fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Such as `AIDA…`: 21 characters.
pub(crate) fn is_unique_id(text: &str) -> bool {
    text.len() == 21 && text.starts_with('A') && text.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase())
}

/// Whether an ARN is a user's, a role's or a session's, of which there is an id.
pub(crate) fn is_entity(arn: &str) -> bool {
    let rest = arn.strip_prefix("arn:aws:iam::").or_else(|| arn.strip_prefix("arn:aws:sts::"));
    let rest = rest.and_then(|rest| rest.split_once(':')).map(|(_, rest)| rest);
    rest.is_some_and(|rest| ["user/", "role/", "assumed-role/"].iter().any(|kind| rest.starts_with(kind)))
}

pub(crate) fn check_actions(actions: &[String], usage: Use) -> Result<(), MalformedPolicy> {
    for action in actions {
        if action == "*" && usage != Use::Trust {
            continue;
        }
        let Some((vendor, name)) = action.split_once(':') else {
            return malformed("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.");
        };
        let named = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'*' | b'?'));
        if vendor.is_empty() || name.is_empty() || !named(vendor) || !named(name) {
            return malformed(format!("The policy failed legacy parsing: action {action}"));
        }
        if usage == Use::Trust && !vendor.eq_ignore_ascii_case("sts") && vendor != "*" {
            return malformed("AssumeRole policy may only specify STS AssumeRole actions.");
        }
    }
    Ok(())
}
