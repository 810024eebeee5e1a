//! What policies would decide, by the evaluator that decides.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_testing-policies.html>

use std::sync::Arc;

use eksile_aws::policy::{Context, Decision, Denial, Document, Kind, Question, Trust, decide, keys};
use eksile_aws::{Caller, Fault, Policies, Principal, Reads, Shape};
use eksile_store::Scope;

use crate::compiled::{Compiled, Identity};
use crate::find;

/// A policy that has a say, and where it comes from.
pub(crate) struct Source {
    id: String,
    kind: &'static str,
    pub(crate) document: Arc<Document>,
}

/// What is asked of a simulation.
pub(crate) struct Asked<'a> {
    pub(crate) identity: Vec<Source>,
    pub(crate) boundary: Option<Arc<Document>>,
    pub(crate) context: Context,
    pub(crate) actions: &'a [String],
    /// None: `*`.
    pub(crate) resources: &'a [String],
}

/// `ContextEntry` of the IAM API.
#[derive(Debug, Clone, Shape)]
pub(crate) struct ContextEntry {
    context_key_name: Option<String>,
    context_key_values: Vec<String>,
    /// Changes nothing: an operator reads a value in its own way.
    context_key_type: Option<String>,
}

/// `EvaluationResult` of the IAM API.
#[derive(Debug, Shape)]
pub(crate) struct EvaluationResult {
    eval_action_name: String,
    eval_resource_name: String,
    eval_decision: String,
    matched_statements: Vec<Matched>,
    missing_context_values: Vec<String>,
    permissions_boundary_decision_detail: Option<BoundaryDetail>,
}

#[derive(Debug, Shape)]
struct Matched {
    source_policy_id: String,
    source_policy_type: String,
}

#[derive(Debug, Shape)]
struct BoundaryDetail {
    allowed_by_permissions_boundary: bool,
}

/// Policies given with the call: `PolicyInputList.1`, …
pub(crate) fn given(texts: &[String]) -> Result<Vec<Source>, Fault> {
    let source = |(at, text): (usize, &String)| {
        let id = format!("PolicyInputList.{}", at + 1);
        Ok(Source { id, kind: "IAM Policy", document: Arc::new(parsed(text)?) })
    };
    texts.iter().enumerate().map(source).collect()
}

/// The boundary given with the call, if any.
pub(crate) fn given_boundary(texts: &[String]) -> Result<Option<Arc<Document>>, Fault> {
    match texts {
        [] => Ok(None),
        [text] => Ok(Some(Arc::new(parsed(text)?))),
        _ => Err(invalid("You can specify at most one permissions boundary policy.")),
    }
}

fn parsed(text: &str) -> Result<Document, Fault> {
    Document::identity(text).map_err(|error| invalid(error.to_string()))
}

fn invalid(message: impl Into<String>) -> Fault {
    Fault::client("InvalidInput", 400, message)
}

/// A user or role with its policies, its boundary and its keys.
pub(crate) struct Subject {
    pub(crate) identity: Vec<Source>,
    pub(crate) boundary: Option<Arc<Document>>,
    pub(crate) context: Context,
}

/// The user or role of an ARN of the account: found, compiled and told as the door does it for a caller.
pub(crate) fn subject(state: Reads<'_>, scope: &Scope, arn: &str) -> Result<Subject, Fault> {
    let compiled = Compiled::default();
    let missing = || find::missing(format!("The entity with ARN {arn} cannot be found."));
    let rest = arn.strip_prefix(&format!("arn:aws:iam::{}:", scope.account)).unwrap_or_default();
    if rest.starts_with("user/") {
        let (_, user) = find::user_by_arn(state, arn)?.ok_or_else(missing)?;
        let identity = compiled.user(state, scope, &user.name)?.ok_or_else(missing)?;
        let caller = Caller {
            account: scope.account.clone(),
            arn: arn.to_owned(),
            user_id: user.user_id,
            access_key_id: String::new(),
            principal: Principal::User { name: user.name.clone() },
        };
        let context = caller.context(&identity.tags);
        return of(&compiled, state, ("user", &user.name), &identity, context);
    }
    if rest.starts_with("role/") {
        let (_, role) = find::role_by_arn(state, arn)?.ok_or_else(missing)?;
        let identity = compiled.role(state, scope, &role.name)?.ok_or_else(missing)?;
        // What only a session has is for the call to give.
        let mut context = Caller::standing(&scope.account, arn, "AssumedRole");
        context.tags("aws:PrincipalTag", &*identity.tags);
        return of(&compiled, state, ("role", &role.name), &identity, context);
    }
    Err(invalid(format!("Invalid Entity Arn: {arn} does not clearly define entity type and name.")))
}

fn of(
    compiled: &Compiled,
    state: Reads<'_>,
    (kind, name): (&'static str, &str),
    bound: &Identity,
    context: Context,
) -> Result<Subject, Fault> {
    let inline = bound.inline.iter().map(|(policy, document)| Source {
        id: format!("{kind}_{name}_{policy}"),
        kind,
        document: document.clone(),
    });
    let attached = compiled.attached(state, bound)?.into_iter().map(|(arn, document)| Source {
        id: arn.rsplit('/').next().unwrap_or(arn).to_owned(),
        kind: if arn.starts_with("arn:aws:iam::aws:") { "aws-managed" } else { "user-managed" },
        document,
    });
    let identity = inline.chain(attached).collect();
    Ok(Subject { identity, boundary: compiled.boundary(state, bound)?, context })
}

/// Adds the keys that the call gives.
pub(crate) fn tell(context: &mut Context, entries: &[ContextEntry]) -> Result<(), Fault> {
    for entry in entries {
        let Some(key) = &entry.context_key_name else { return Err(invalid("A context entry has no name.")) };
        let service = key.split(':').next().unwrap_or_default();
        if !keys::is_built(key) && (service == "aws" || keys::is_built_service(service)) {
            return Err(invalid(format!("The condition key {key} is not built here.")));
        }
        context.set_all(key, entry.context_key_values.clone());
    }
    Ok(())
}

/// Every action on every resource.
pub(crate) fn results(asked: &Asked<'_>) -> Vec<EvaluationResult> {
    let everything = ["*".to_owned()];
    let resources = if asked.resources.is_empty() { &everything } else { asked.resources };
    let policies = Policies {
        identity: asked.identity.iter().map(|source| source.document.clone()).collect(),
        boundary: asked.boundary.clone(),
        ..Policies::default()
    };
    let each = |action| resources.iter().map(move |resource| (action, resource));
    asked.actions.iter().flat_map(each).map(|(action, resource)| one(asked, &policies, action, resource)).collect()
}

fn one(asked: &Asked<'_>, policies: &Policies, action: &str, resource: &str) -> EvaluationResult {
    let question = Question { action, resource, context: &asked.context };
    let decision = decide(policies, &question, Trust::None);
    let denied = decision == Decision::Denied(Denial::Explicit(Kind::Identity));
    let applies = |source: &&Source| source.document.applying(&question, !denied).next().is_some();
    let documents = asked.identity.iter().map(|source| &source.document).chain(&asked.boundary);
    let mut missing: Vec<String> = documents
        .flat_map(|document| document.keys())
        .filter(|key| asked.context.get(key).is_none())
        .map(str::to_owned)
        .collect();
    missing.sort();
    missing.dedup();
    let matched =
        |source: &Source| Matched { source_policy_id: source.id.clone(), source_policy_type: source.kind.to_owned() };
    EvaluationResult {
        eval_action_name: action.to_owned(),
        eval_resource_name: resource.to_owned(),
        eval_decision: match decision {
            Decision::Allowed => "allowed",
            Decision::Denied(Denial::Explicit(_)) => "explicitDeny",
            Decision::Denied(_) => "implicitDeny",
        }
        .to_owned(),
        matched_statements: asked.identity.iter().filter(applies).map(matched).collect(),
        missing_context_values: missing,
        permissions_boundary_decision_detail: asked.boundary.as_ref().map(|boundary| BoundaryDetail {
            allowed_by_permissions_boundary: boundary.applying(&question, true).next().is_some()
                && boundary.applying(&question, false).next().is_none(),
        }),
    }
}

/// Every key that policies read.
pub(crate) fn keys_of(sources: &[Source]) -> Vec<String> {
    let mut names: Vec<String> = sources.iter().flat_map(|source| source.document.keys()).map(str::to_owned).collect();
    names.sort();
    names.dedup();
    names
}
