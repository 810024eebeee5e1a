//! Whom a policy of a resource (a role's trust policy) means.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html>

use super::document::{Document, Named, Principals};
use super::evaluate::Question;
use crate::contract::{Caller, Principal};

/// How far a resource's policy trusts a caller with an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trust {
    /// Explicitly not.
    Denied,
    /// Not at all.
    None,
    /// It trusts the caller's account, which must allow the caller in turn.
    Account,
    /// It names the role of which the caller is a session.
    Role,
    /// It names the caller: the user, or this very session.
    Direct,
}

/// Whether a trust policy lets a caller do what is asked.
#[must_use]
pub fn trusts(document: &Document, caller: &Caller, question: &Question<'_>) -> Trust {
    reached(document, question, |named| reach(named, caller))
}

/// Whether a trust policy lets a service of AWS (`ec2.amazonaws.com`) do what is asked.
#[must_use]
pub fn trusts_service(document: &Document, service: &str, question: &Question<'_>) -> bool {
    let means = |named: &Named<Principals>| {
        let named_here = named.what.anyone || named.what.services.iter().any(|one| one == service);
        if named_here == named.not { Trust::None } else { Trust::Direct }
    };
    reached(document, question, means) == Trust::Direct
}

fn reached(document: &Document, question: &Question<'_>, reach: impl Fn(&Named<Principals>) -> Trust) -> Trust {
    let question = &question.prepared();
    let mut trust = Trust::None;
    for statement in &document.statements {
        let reach = statement.principals.as_ref().map_or(Trust::None, &reach);
        if reach == Trust::None || !statement.applies(question) {
            continue;
        }
        if !statement.allow {
            return Trust::Denied;
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
        let is_role = matches!(caller.principal, Principal::Role { .. });
        let reach = |named: &String| {
            if named == "*" || *named == root || *named == caller.account {
                Trust::Account
            } else if *named == caller.arn || *named == caller.user_id {
                Trust::Direct
            } else if named == caller.iam_arn() || named == caller.principal_id() {
                if is_role { Trust::Role } else { Trust::Direct }
            } else {
                Trust::None
            }
        };
        self.aws.iter().map(reach).max().unwrap_or(Trust::None)
    }
}
