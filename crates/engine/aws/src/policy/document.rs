//! Policy documents, parsed and compiled.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::condition::{Condition, Surroundings};
use super::elements::{self, check_actions};
use super::template::{ArnPattern, Holds, Template};
use super::{json, keys};

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
    /// Compiled from lower case: actions do not depend on case.
    pub(crate) actions: Named<Vec<Template>>,
    pub(crate) resources: Option<Named<Vec<ArnPattern>>>,
    pub(crate) conditions: Vec<Condition>,
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
    /// ARNs, account ids and unique ids; `*` is anyone.
    pub aws: Vec<String>,
    /// Such as `ec2.amazonaws.com`.
    pub services: Vec<String>,
    /// Identity providers.
    pub federated: Vec<String>,
}

/// What a policy may and must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
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
        let statement = Statement {
            allow: false,
            principals: None,
            actions: Named { not: false, what: vec![Template::Any] },
            resources: Some(Named { not: false, what: vec![ArnPattern::Any] }),
            conditions: Vec::new(),
        };
        Self { statements: vec![statement] }
    }

    /// Every principal that an allowing statement names.
    pub fn principals(&self) -> impl Iterator<Item = &Principals> {
        let allowing = self.statements.iter().filter(|statement| statement.allow);
        allowing.filter_map(|statement| statement.principals.as_ref().filter(|p| !p.not).map(|p| &p.what))
    }

    /// Every principal that any statement names.
    pub fn all_principals(&self) -> impl Iterator<Item = &Principals> {
        self.statements.iter().filter_map(|statement| statement.principals.as_ref().map(|named| &named.what))
    }

    /// The same policy about unique ids instead of the ARNs of users and roles: who is made anew under an old name is
    /// somebody else. An ARN without an id allows nobody; in a denying statement it goes on to be read as a name.
    #[must_use]
    pub fn about_ids(mut self, ids: &BTreeMap<String, String>) -> Self {
        for statement in &mut self.statements {
            let Some(named) = &mut statement.principals else { continue };
            let held = std::mem::take(&mut named.what.aws).into_iter();
            let known = |arn: String| match ids.get(&arn) {
                Some(id) => Some(id.clone()),
                None => (!statement.allow || !elements::is_entity(&arn)).then_some(arn),
            };
            named.what.aws = held.filter_map(known).collect();
        }
        self
    }

    /// Every condition key that it reads, as it is written.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.statements.iter().flat_map(|statement| statement.conditions.iter().map(Condition::written_key))
    }
}

pub(crate) fn malformed<T>(message: impl Into<String>) -> Result<T, MalformedPolicy> {
    Err(MalformedPolicy(message.into()))
}

fn parse(text: &str, usage: Use) -> Result<Document, MalformedPolicy> {
    let Some(Value::Object(document)) = json::parse(text) else {
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
    elements::check_sids(&statements)?;
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
    let principals = either(&mut members, "Principal", elements::principals)?;
    let Some(actions) = either(&mut members, "Action", elements::texts)? else {
        return malformed("Policy statement must contain actions.");
    };
    let resources = either(&mut members, "Resource", elements::texts)?;
    check_parts(usage, principals.as_ref(), resources.is_some())?;
    check_actions(&actions.what, usage)?;
    let lowered: Vec<String> = actions.what.iter().map(|action| action.to_ascii_lowercase()).collect();
    let federated_only = principals.as_ref().is_some_and(|named| !named.not && named.what.is_federated_only());
    let matters = !federated_only && (actions.not || lowered.iter().any(|action| keys::reaches_built(action)));
    let around = Surroundings { variables, matters };
    let conditions = members.remove("Condition").map_or_else(|| Ok(Vec::new()), |c| Condition::parse(c, around))?;
    if let Some((name, _)) = members.into_iter().next() {
        return malformed(format!("Syntax errors in policy: {name} is not an element of a statement."));
    }
    Ok(Statement {
        allow,
        principals,
        actions: Named { not: actions.not, what: lowered.iter().map(|action| Template::plain(action)).collect() },
        resources: resources.map(|named| patterns(&named, variables)).transpose()?,
        conditions,
    })
}

/// Refuses principals and resources where the kind of policy has none, and their lack where it has.
fn check_parts(usage: Use, principals: Option<&Named<Principals>>, resources: bool) -> Result<(), MalformedPolicy> {
    match usage {
        Use::Identity if principals.is_some() => malformed("Policy document should not specify a principal."),
        Use::Identity if !resources => malformed("Policy statement must contain resources."),
        Use::Trust if principals.is_none() => malformed("Missing required field Principal"),
        Use::Trust if principals.is_some_and(|named| named.not) => malformed("Has prohibited field NotPrincipal"),
        Use::Trust if resources => malformed("Has prohibited field Resource"),
        _ => Ok(()),
    }
}

fn patterns(named: &Named<Vec<String>>, variables: bool) -> Result<Named<Vec<ArnPattern>>, MalformedPolicy> {
    let holds = Holds { wildcards: true, variables };
    let mut what = Vec::with_capacity(named.what.len());
    for text in &named.what {
        let Some(pattern) = ArnPattern::compile(text, holds)? else {
            return malformed(format!("Resource {text} must be in ARN format or \"*\"."));
        };
        what.push(pattern);
    }
    Ok(Named { not: named.not, what })
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
