//! Evaluation: an explicit deny beats every allow, and nothing is allowed by default.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>

use super::document::{Document, Named, Principals, Statement};
use super::{Context, variable};
use crate::contract::Caller;
use crate::directory::Policies;
use crate::pattern;

/// May it be done?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Yes.
    Allowed,
    /// No, and why.
    Denied(Denial),
}

/// Why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denial {
    /// A policy of the identity denies it.
    Explicit,
    /// No policy of the identity allows it.
    NoIdentityPolicy,
    /// The permissions boundary does not allow it.
    NoBoundary,
    /// No session policy allows it.
    NoSessionPolicy,
}

/// Decides for one action on one resource. `granted` says that a resource-based policy already grants
/// it to the caller, so that only a deny can stop it.
#[must_use]
pub fn decide(policies: &Policies, action: &str, resource: &str, context: &Context, granted: bool) -> Decision {
    let says = |documents: &[&Document], allow: bool| {
        documents
            .iter()
            .flat_map(|document| &document.statements)
            .any(|statement| statement.allow == allow && statement.applies(action, Some(resource), context))
    };
    let identity: Vec<&Document> = policies.identity.iter().collect();
    let boundary: Vec<&Document> = policies.boundary.iter().collect();
    let session: Vec<&Document> = policies.session.iter().collect();
    if [&identity, &boundary, &session].into_iter().any(|documents| says(documents, false)) {
        return Decision::Denied(Denial::Explicit);
    }
    if granted {
        return Decision::Allowed;
    }
    if !says(&identity, true) {
        Decision::Denied(Denial::NoIdentityPolicy)
    } else if !boundary.is_empty() && !says(&boundary, true) {
        Decision::Denied(Denial::NoBoundary)
    } else if !session.is_empty() && !says(&session, true) {
        Decision::Denied(Denial::NoSessionPolicy)
    } else {
        Decision::Allowed
    }
}

/// How far a trust policy trusts a caller with an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trust {
    /// Not at all, or explicitly not.
    None,
    /// It trusts the caller's account, which must allow the caller in turn.
    Account,
    /// It names the caller.
    Direct,
}

/// Whether a trust policy lets a caller do `action` (`sts:AssumeRole`).
#[must_use]
pub fn trusts(document: &Document, caller: &Caller, action: &str, context: &Context) -> Trust {
    let mut trust = Trust::None;
    for statement in &document.statements {
        let reach = statement.principals.as_ref().map_or(Trust::None, |named| reach(named, caller));
        if reach == Trust::None || !statement.applies(action, None, context) {
            continue;
        }
        if !statement.allow {
            return Trust::None;
        }
        trust = trust.max(reach);
    }
    trust
}

fn reach(named: &Named<Principals>, caller: &Caller) -> Trust {
    let reach = named.what.reach(caller);
    match (named.not, reach) {
        (false, reach) => reach,
        (true, Trust::None) => Trust::Account,
        (true, _) => Trust::None,
    }
}

impl Principals {
    fn reach(&self, caller: &Caller) -> Trust {
        if self.anyone {
            return Trust::Account;
        }
        let root = format!("arn:aws:iam::{}:root", caller.account);
        let reach = |named: &String| {
            if named == "*" || *named == root || *named == caller.account {
                Trust::Account
            } else if *named == caller.arn || named == caller.iam_arn() || named == caller.principal_id() {
                Trust::Direct
            } else {
                Trust::None
            }
        };
        self.aws.iter().map(reach).max().unwrap_or(Trust::None)
    }
}

impl Statement {
    fn applies(&self, action: &str, resource: Option<&str>, context: &Context) -> bool {
        self.names_action(action)
            && resource.is_none_or(|resource| self.names_resource(resource, context))
            && self.conditions.iter().all(|condition| condition.met(context, self.variables))
    }

    fn names_action(&self, action: &str) -> bool {
        let action = action.to_ascii_lowercase();
        let named = |pattern: &String| pattern::plain(&pattern.to_ascii_lowercase(), &action);
        self.actions.what.iter().any(named) != self.actions.not
    }

    fn names_resource(&self, resource: &str, context: &Context) -> bool {
        let Some(resources) = &self.resources else { return true };
        let named = |pattern: &String| {
            if !self.variables {
                return pattern::plain(pattern, resource);
            }
            variable::filled(pattern, context).is_some_and(|parts| pattern::matches(&parts, resource))
        };
        resources.what.iter().any(named) != resources.not
    }
}
