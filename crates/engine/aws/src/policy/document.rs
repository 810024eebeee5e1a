//! Policy documents, parsed.

use serde_json::{Map, Value};

use super::condition::Condition;

/// A policy that could be parsed.
#[derive(Debug, Clone)]
pub struct Document {
    pub(crate) statements: Vec<Statement>,
}

/// A text that is no policy of the kind wanted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct MalformedPolicy(pub String);

#[derive(Debug, Clone)]
pub(crate) struct Statement {
    pub(crate) allow: bool,
    pub(crate) principals: Option<Named<Principals>>,
    pub(crate) actions: Named<Vec<String>>,
    pub(crate) resources: Option<Named<Vec<String>>>,
    pub(crate) conditions: Vec<Condition>,
    /// Variables exist since version 2012-10-17.
    pub(crate) variables: bool,
}

/// `Action` or `NotAction` and the like.
#[derive(Debug, Clone)]
pub(crate) struct Named<T> {
    pub(crate) not: bool,
    pub(crate) what: T,
}

/// Who a statement of a resource-based policy is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Principals {
    /// `"*"`.
    pub anyone: bool,
    /// ARNs and account ids; `*` is anyone.
    pub aws: Vec<String>,
    /// Such as `ec2.amazonaws.com`.
    pub services: Vec<String>,
    /// Identity providers.
    pub federated: Vec<String>,
}

/// What a policy may and must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Identity,
    Trust,
}

impl Document {
    /// Parses a policy for identities: resources, no principals.
    ///
    /// # Errors
    /// Not JSON, or not such a policy.
    pub fn identity(text: &str) -> Result<Self, MalformedPolicy> {
        parse(text, Use::Identity)
    }

    /// Parses a role's trust policy: principals, no resources.
    ///
    /// # Errors
    /// Not JSON, or not such a policy.
    pub fn trust(text: &str) -> Result<Self, MalformedPolicy> {
        parse(text, Use::Trust)
    }

    /// A policy that neither allows nor denies anything.
    #[must_use]
    pub fn nothing() -> Self {
        Self { statements: Vec::new() }
    }

    /// A policy that denies everything.
    #[must_use]
    pub fn denial() -> Self {
        let everything = || Named { not: false, what: vec!["*".to_owned()] };
        let statement = Statement {
            allow: false,
            principals: None,
            actions: everything(),
            resources: Some(everything()),
            conditions: Vec::new(),
            variables: false,
        };
        Self { statements: vec![statement] }
    }

    /// Every principal that an allowing statement names.
    pub fn principals(&self) -> impl Iterator<Item = &Principals> {
        let allowing = self.statements.iter().filter(|statement| statement.allow);
        allowing.filter_map(|statement| statement.principals.as_ref().filter(|p| !p.not).map(|p| &p.what))
    }
}

fn malformed<T>(message: impl Into<String>) -> Result<T, MalformedPolicy> {
    Err(MalformedPolicy(message.into()))
}

fn parse(text: &str, usage: Use) -> Result<Document, MalformedPolicy> {
    let Ok(Value::Object(document)) = serde_json::from_str::<Value>(text) else {
        return malformed("Syntax errors in policy.");
    };
    let mut variables = false;
    let mut statements = Vec::new();
    for (name, value) in document {
        match (name.as_str(), value) {
            ("Version", Value::String(version)) if version == "2012-10-17" => variables = true,
            ("Version", Value::String(version)) if version == "2008-10-17" => {}
            ("Id", Value::String(_)) => {}
            ("Statement", Value::Array(list)) => statements = list,
            ("Statement", one @ Value::Object(_)) => statements = vec![one],
            ("Version", _) => return malformed("The policy must contain a valid version string"),
            _ => return malformed("Syntax errors in policy."),
        }
    }
    if statements.is_empty() {
        return malformed("The policy must contain at least one statement");
    }
    let statements = statements.into_iter().map(|value| statement(value, usage, variables));
    Ok(Document { statements: statements.collect::<Result<_, _>>()? })
}

fn statement(value: Value, usage: Use, variables: bool) -> Result<Statement, MalformedPolicy> {
    let Value::Object(mut members) = value else { return malformed("Syntax errors in policy.") };
    members.remove("Sid");
    let allow = match members.remove("Effect").as_ref().and_then(Value::as_str) {
        Some("Allow") => true,
        Some("Deny") => false,
        _ => return malformed("The policy statement must contain a valid Effect"),
    };
    let principals = either(&mut members, "Principal", principals)?;
    let Some(actions) = either(&mut members, "Action", texts)? else {
        return malformed("Policy statement must contain actions.");
    };
    let resources = either(&mut members, "Resource", texts)?;
    match usage {
        Use::Identity if principals.is_some() => return malformed("Policy document should not specify a principal."),
        Use::Identity if resources.is_none() => return malformed("Policy statement must contain resources."),
        Use::Trust if principals.is_none() => return malformed("Missing required field Principal"),
        Use::Trust if resources.is_some() => return malformed("Has prohibited field Resource"),
        _ => {}
    }
    check_actions(&actions.what, usage)?;
    if usage == Use::Identity {
        check_resources(resources.as_ref().map_or(&[], |named| named.what.as_slice()))?;
    }
    let conditions = members.remove("Condition").map_or_else(|| Ok(Vec::new()), Condition::parse)?;
    if let Some((name, _)) = members.into_iter().next() {
        return malformed(format!("Syntax errors in policy: {name} is not an element of a statement."));
    }
    Ok(Statement { allow, principals, actions, resources, conditions, variables })
}

/// `X` or `NotX`, not both.
fn either<T>(
    members: &mut Map<String, Value>,
    name: &str,
    read: impl Fn(Value) -> Result<T, MalformedPolicy>,
) -> Result<Option<Named<T>>, MalformedPolicy> {
    match (members.remove(name), members.remove(&format!("Not{name}"))) {
        (None, None) => Ok(None),
        (Some(value), None) => Ok(Some(Named { not: false, what: read(value)? })),
        (None, Some(value)) => Ok(Some(Named { not: true, what: read(value)? })),
        (Some(_), Some(_)) => malformed(format!("A statement has either {name} or Not{name}.")),
    }
}

fn texts(value: Value) -> Result<Vec<String>, MalformedPolicy> {
    match value {
        Value::String(text) => Ok(vec![text]),
        Value::Array(items) if !items.is_empty() => {
            let text = |item| if let Value::String(text) = item { Some(text) } else { None };
            items.into_iter().map(text).collect::<Option<_>>().map_or_else(|| malformed("Syntax errors in policy."), Ok)
        }
        _ => malformed("Syntax errors in policy."),
    }
}

fn principals(value: Value) -> Result<Principals, MalformedPolicy> {
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
        let digits = named.len() == 12 && named.bytes().all(|byte| byte.is_ascii_digit());
        let arn = named.starts_with("arn:aws:iam::") || named.starts_with("arn:aws:sts::");
        let id = named.len() == 21 && named.starts_with('A') && named.bytes().all(|b| b.is_ascii_alphanumeric());
        if named != "*" && !digits && !id && (!arn || named.contains('*')) {
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

fn check_actions(actions: &[String], usage: Use) -> Result<(), MalformedPolicy> {
    for action in actions {
        if action == "*" && usage == Use::Identity {
            continue;
        }
        let Some((vendor, name)) = action.split_once(':') else {
            return malformed("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.");
        };
        let named = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'*' | b'?'));
        if vendor.is_empty() || name.is_empty() || !named(vendor) || !named(name) {
            return malformed(format!("The policy failed legacy parsing: action {action}"));
        }
        if usage == Use::Trust && !matches!(vendor, "sts" | "*") {
            return malformed("AssumeRole policy may only specify STS AssumeRole actions.");
        }
    }
    Ok(())
}

fn check_resources(resources: &[String]) -> Result<(), MalformedPolicy> {
    for resource in resources {
        let variable = resource.starts_with("${");
        let arn = resource.starts_with("arn:") && resource.splitn(6, ':').count() == 6;
        if !resource.starts_with('*') && !variable && !arn {
            return malformed(format!("Resource {resource} must be in ARN format or \"*\"."));
        }
    }
    Ok(())
}
