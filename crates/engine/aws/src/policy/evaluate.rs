//! Evaluation: an explicit deny beats every allow, and nothing is allowed by default.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>

use std::sync::Arc;

use super::context::Reading;
use super::document::{Document, Statement};
use super::trust::Trust;
use super::{Context, template};
use crate::directory::Policies;

/// What is asked: an action on a resource, in its circumstances.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// `ec2:RunInstances`.
    pub action: &'a str,
    /// An ARN, or `*` for what acts on nothing in particular.
    pub resource: &'a str,
    /// Condition keys.
    pub context: &'a Context,
}

/// A question as statements read it: what each of them would do again is done once.
pub(crate) struct Prepared<'a> {
    /// In lower case.
    action: String,
    /// `None` of what is no ARN.
    resource: Option<[&'a str; 6]>,
    context: &'a Context,
}

impl<'a> Question<'a> {
    pub(crate) fn prepared(&self) -> Prepared<'a> {
        let (action, resource) = (self.action.to_ascii_lowercase(), template::arn_parts(self.resource));
        Prepared { action, resource, context: self.context }
    }
}

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
    /// A policy denies it.
    Explicit(Kind),
    /// No policy of the identity allows it.
    NoIdentityPolicy,
    /// The permissions boundary does not allow it.
    NoBoundary,
    /// No session policy allows it.
    NoSessionPolicy,
}

/// The kinds of policies that have a say about a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Attached to a user or role, or inline.
    Identity,
    /// A permissions boundary.
    Boundary,
    /// Given when the session began.
    Session,
    /// The resource's own.
    Resource,
}

/// Decides for one action on one resource. `granted` is how far the resource's own policy, of the caller's account,
/// already grants it: a grant to the user or the session stands by itself, one to the role lies within the boundary and
/// the session's policies, and one to the account gives nothing that the identity's policies do not.
#[must_use]
pub fn decide(policies: &Policies, question: &Question<'_>, granted: Trust) -> Decision {
    let question = &question.prepared();
    let verdict = |documents: &[Arc<Document>]| Verdict::of(documents.iter().map(AsRef::as_ref), question);
    let identity = verdict(&policies.identity);
    let boundary = verdict(policies.boundary.as_slice());
    let session = verdict(&policies.session);
    let kinds = [(Kind::Identity, identity), (Kind::Boundary, boundary), (Kind::Session, session)];
    if let Some((kind, _)) = kinds.into_iter().find(|(_, verdict)| verdict.denies) {
        return Decision::Denied(Denial::Explicit(kind));
    }
    if granted == Trust::Denied {
        return Decision::Denied(Denial::Explicit(Kind::Resource));
    }
    if granted == Trust::Direct {
        return Decision::Allowed;
    }
    if !identity.allows && granted != Trust::Role {
        Decision::Denied(Denial::NoIdentityPolicy)
    } else if policies.boundary.is_some() && !boundary.allows {
        Decision::Denied(Denial::NoBoundary)
    } else if !policies.session.is_empty() && !session.allows {
        Decision::Denied(Denial::NoSessionPolicy)
    } else {
        Decision::Allowed
    }
}

/// What the policies of one kind say together.
#[derive(Debug, Clone, Copy, Default)]
struct Verdict {
    allows: bool,
    denies: bool,
}

impl Verdict {
    fn of<'d>(documents: impl IntoIterator<Item = &'d Document>, question: &Prepared<'_>) -> Self {
        let mut verdict = Self::default();
        for statement in documents.into_iter().flat_map(|document| &document.statements) {
            let undecided = if statement.allow { !verdict.allows } else { !verdict.denies };
            if undecided && statement.applies(question) {
                if statement.allow { verdict.allows = true } else { verdict.denies = true }
            }
        }
        verdict
    }
}

impl Document {
    /// Positions of the statements that apply, of those that allow or of those that deny.
    pub fn applying<'a>(&'a self, question: &'a Question<'_>, allow: bool) -> impl Iterator<Item = usize> + 'a {
        let question = question.prepared();
        let applies =
            move |(_, statement): &(usize, &Statement)| statement.allow == allow && statement.applies(&question);
        self.statements.iter().enumerate().filter(applies).map(|(at, _)| at)
    }
}

impl Statement {
    /// Whether it is about this. Where the request says several things at once, a denial is about each of them, and
    /// an allowance about what it allows every one of.
    pub(crate) fn applies(&self, question: &Prepared<'_>) -> bool {
        let reading = if self.allow { Reading::Every } else { Reading::Some };
        self.names_action(question)
            && self.names_resource(question, reading)
            && self.conditions.iter().all(|condition| condition.met(question.context, reading))
    }

    fn names_action(&self, question: &Prepared<'_>) -> bool {
        let named =
            self.actions.what.iter().any(|pattern| pattern.matches(&question.action, question.context, Reading::Every));
        named != self.actions.not
    }

    /// A trust policy names no resource: it is about its role.
    fn names_resource(&self, question: &Prepared<'_>, reading: Reading) -> bool {
        let Some(resources) = &self.resources else { return true };
        let (parts, reading) = (question.resource.as_ref(), reading.unless(resources.not));
        let named = resources.what.iter().any(|pattern| pattern.matches(parts, question.context, reading));
        named != resources.not
    }
}
