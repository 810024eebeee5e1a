//! Trust policies of roles.

use std::collections::BTreeMap;

use eksile_aws::policy::{Context, Document, Question, trusts_service};
use eksile_aws::{Fault, Reads, Vantage};
use eksile_store::Scope;
use http::HeaderMap;
use jiff::Timestamp;
use serde_json::Value;

use crate::find;
use crate::records::{Role, User};

/// A trust policy, checked, as it is kept.
pub(crate) struct Checked {
    pub(crate) text: String,
    /// As [`Role::trusted`].
    pub(crate) trusted: BTreeMap<String, String>,
}

/// Checks a trust policy: its form, and that the users and roles that it names exist. From then on it is about them, not
/// about whoever will have their names.
pub(crate) fn check(state: Reads<'_>, own: &Scope, text: &str) -> Result<Checked, Fault> {
    find::not_longer(text, find::Place::Trust)?;
    let document = Document::trust(text).map_err(|error| malformed(error.to_string()))?;
    let mut trusted = BTreeMap::new();
    let mut written = BTreeMap::new();
    for named in document.all_principals().flat_map(|principals| &principals.aws) {
        let Some(meant) = meant(state, own, named)? else {
            return Err(malformed(format!("Invalid principal in policy: \"AWS\":\"{named}\"")));
        };
        if let Some(id) = meant.id {
            trusted.insert(meant.arn.clone(), id);
        }
        if meant.arn != *named {
            written.insert(named.clone(), meant.arn);
        }
    }
    Ok(Checked { text: rewritten(text, &written), trusted })
}

fn malformed(message: String) -> Fault {
    Fault::client("MalformedPolicyDocument", 400, message)
}

/// Whom a principal of a policy means.
struct Meant {
    /// As the policy is shown.
    arn: String,
    /// The unique id of a user or role, `ID:SESSION` of a session.
    id: Option<String>,
}

/// `None` of nobody.
fn meant(state: Reads<'_>, own: &Scope, named: &str) -> Result<Option<Meant>, Fault> {
    let whole = |arn: &str| Ok(Some(Meant { arn: arn.to_owned(), id: None }));
    if named == "*" {
        return whole(named);
    }
    if named.len() == 12 && named.bytes().all(|byte| byte.is_ascii_digit()) {
        return whole(&format!("arn:aws:iam::{named}:root"));
    }
    let Some((service, account, rest)) = parts(named) else { return by_id(state, own, named) };
    let Some(scope) = find::scope_of(account) else { return Ok(None) };
    let (kind, name) = rest.split_once('/').unwrap_or((rest, ""));
    let id = match (service, kind) {
        ("iam", "root") if name.is_empty() => return whole(named),
        ("iam", "role") => find::role_by_arn(state, named)?.map(|(_, role)| role.role_id),
        ("iam", "user") => find::user_by_arn(state, named)?.map(|(_, user)| user.user_id),
        ("sts", "assumed-role") => {
            let Some((role, session)) = name.split_once('/').filter(|(_, session)| !session.is_empty()) else {
                return Ok(None);
            };
            let role = state.record::<Role>(&scope, role)?;
            role.map(|role| format!("{}:{session}", role.role_id))
        }
        // Nobody can be one here (GetFederationToken is not built), so it lets nobody in.
        ("sts", "federated-user") if !name.is_empty() => return whole(named),
        _ => None,
    };
    Ok(id.map(|id| Meant { arn: named.to_owned(), id: Some(id) }))
}

/// Service, account and resource of an ARN of IAM or STS.
fn parts(arn: &str) -> Option<(&str, &str, &str)> {
    let rest = arn.strip_prefix("arn:aws:")?;
    let (service, rest) = rest.split_once("::")?;
    let (account, rest) = rest.split_once(':')?;
    Some((service, account, rest))
}

/// The user or role of a unique id, in the caller's own account.
fn by_id(state: Reads<'_>, own: &Scope, id: &str) -> Result<Option<Meant>, Fault> {
    let users = state.records::<User>(own)?.into_iter().map(|user| (user.arn(&own.account), user.user_id));
    let roles = state.records::<Role>(own)?.into_iter().map(|role| (role.arn(&own.account), role.role_id));
    let found = users.chain(roles).find(|(_, other)| other == id);
    Ok(found.map(|(arn, id)| Meant { arn, id: Some(id) }))
}

/// A role's trust policy as it is shown: who is gone is told by the id.
pub(crate) fn shown(state: Reads<'_>, role: &Role) -> Result<String, Fault> {
    let mut gone = BTreeMap::new();
    for (arn, id) in &role.trusted {
        // The account is in the ARN, so the caller's own is not asked for.
        let now = meant(state, &Scope::new("", ""), arn)?.and_then(|meant| meant.id);
        if now.as_ref() != Some(id) {
            gone.insert(arn.clone(), id.clone());
        }
    }
    Ok(rewritten(&role.trust, &gone))
}

/// The text with other principals; the very text, where there are none to change.
fn rewritten(text: &str, changes: &BTreeMap<String, String>) -> String {
    let parsed = if changes.is_empty() { None } else { serde_json::from_str::<Value>(text).ok() };
    let Some(mut document) = parsed else { return text.to_owned() };
    let Some(statements) = document.get_mut("Statement") else { return text.to_owned() };
    let statements = match statements {
        Value::Array(list) => list.as_mut_slice(),
        one => std::slice::from_mut(one),
    };
    for statement in statements {
        let Some(named) = statement.get_mut("Principal").and_then(|principal| principal.get_mut("AWS")) else {
            continue;
        };
        let named = match named {
            Value::Array(list) => list.as_mut_slice(),
            one => std::slice::from_mut(one),
        };
        for principal in named {
            if let Some(change) = principal.as_str().and_then(|text| changes.get(text)) {
                *principal = Value::String(change.clone());
            }
        }
    }
    document.to_string()
}

/// A role's trust policy, about unique ids. One that cannot be read lets nobody in.
pub(crate) fn document(role: &Role) -> Document {
    match Document::trust(&role.trust) {
        Ok(document) => document.about_ids(&role.trusted),
        Err(error) => {
            tracing::error!(%error, role = role.name, "a stored trust policy cannot be evaluated; it trusts nobody");
            Document::nothing()
        }
    }
}

/// Whether EC2 may assume the role for an instance.
pub(crate) fn ec2_may_assume(role: &Role, region: &str, wall: Timestamp) -> bool {
    let mut context = Context::default();
    let inside = Vantage { place: eksile_aws::Place::Fabric, address: None, tls: true };
    inside.tell(&HeaderMap::new(), region, wall, &mut context);
    context.set("aws:PrincipalIsAWSService", "true");
    context.set("aws:PrincipalServiceName", EC2);
    context.set_all("aws:PrincipalServiceNamesList", vec![EC2.to_owned()]);
    let question = Question { action: "sts:AssumeRole", resource: "*", context: &context };
    trusts_service(&document(role), EC2, &question)
}

const EC2: &str = "ec2.amazonaws.com";

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
