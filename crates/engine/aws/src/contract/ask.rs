//! What an operation asks the policies.

use std::sync::Arc;

use super::{Caller, Fault};
use crate::directory::Policies;
use crate::policy::{Context, Decision, Denial, Question, Trust, decide};

/// One question: may the caller do this to that? A call puts one for every resource that it acts on, and for every further
/// action that it does by the way (passing a role, tagging what it makes). All must be allowed.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Where it is not the operation's own action.
    pub(crate) action: Option<&'static str>,
    pub(crate) arn: String,
    /// Keys of this resource in this call, such as `aws:ResourceTag/team` and `ec2:Vpc`.
    pub(crate) keys: Context,
    /// What the resource's own policy, of the caller's account, says already.
    pub(crate) granted: Trust,
    /// Why its keys cannot all be told.
    pub(crate) fault: Option<Fault>,
}

impl Ask {
    /// The operation's own action on the resource of an ARN.
    #[must_use]
    pub fn to(arn: impl Into<String>) -> Self {
        Self { action: None, arn: arn.into(), keys: Context::default(), granted: Trust::None, fault: None }
    }

    /// The operation's own action, which acts on nothing in particular.
    #[must_use]
    pub fn any() -> Self {
        Self::to("*")
    }

    /// Another action than the operation's own.
    #[must_use]
    pub fn action(mut self, action: &'static str) -> Self {
        self.action = Some(action);
        self
    }

    /// How far the resource's own policy trusts the caller with it. Only for resources of the caller's account: elsewhere,
    /// the caller's policies must allow it, too.
    #[must_use]
    pub fn granted(mut self, trust: Trust) -> Self {
        self.granted = trust;
        self
    }

    /// Whose keys cannot all be told, where there is a fault: who is allowed all the rest gets it for an answer, and
    /// nothing is done.
    #[must_use]
    pub fn failing(mut self, fault: Option<Fault>) -> Self {
        self.fault = self.fault.or(fault);
        self
    }

    /// A condition key of one value.
    #[must_use]
    pub fn key(mut self, key: &str, value: impl Into<String>) -> Self {
        self.keys.set(key, value);
        self
    }

    /// A condition key of several values.
    #[must_use]
    pub fn keys_of(mut self, key: &str, values: Vec<String>) -> Self {
        self.keys.set_all(key, values);
        self
    }

    /// A condition key that has a value or is absent.
    #[must_use]
    pub fn maybe(self, key: &str, value: Option<impl Into<String>>) -> Self {
        match value {
            Some(value) => self.key(key, value),
            None => self,
        }
    }

    /// The tags that the resource has: `aws:ResourceTag/…`.
    #[must_use]
    pub fn tagged<'a>(mut self, tags: impl IntoIterator<Item = (&'a String, &'a String)>) -> Self {
        self.keys.tags("aws:ResourceTag", tags);
        self
    }

    /// The same, under the service's own key, too (`ec2:ResourceTag`).
    #[must_use]
    pub fn tagged_as<'a>(
        mut self,
        key: &str,
        tags: impl IntoIterator<Item = (&'a String, &'a String)> + Clone,
    ) -> Self {
        self.keys.tags(key, tags.clone());
        self.tagged(tags)
    }

    /// The tags that the request puts on the resource: `aws:RequestTag/…` and `aws:TagKeys`.
    #[must_use]
    pub fn requesting<'a>(mut self, tags: impl IntoIterator<Item = (&'a String, &'a String)> + Clone) -> Self {
        self.keys.tags("aws:RequestTag", tags.clone());
        self.naming(tags.into_iter().map(|(key, _)| key))
    }

    /// The tags that the request takes from the resource: `aws:TagKeys`.
    #[must_use]
    pub fn naming<'a>(mut self, tag_keys: impl IntoIterator<Item = &'a String>) -> Self {
        self.keys.set_all("aws:TagKeys", tag_keys.into_iter().cloned().collect());
        self
    }

    /// The ARN asked about.
    #[must_use]
    pub fn arn(&self) -> &str {
        &self.arn
    }

    /// Why its keys cannot all be told.
    #[must_use]
    pub fn fault(&self) -> Option<&Fault> {
        self.fault.as_ref()
    }

    /// The keys of this resource in this call.
    #[must_use]
    pub fn keys(&self) -> &Context {
        &self.keys
    }

    /// Whether the policies allow it to a caller. `own` is the action where it names no other; `request` are the keys of
    /// who calls and of the request. Every door decides by this alone.
    ///
    /// # Errors
    /// Why not.
    pub fn decide(
        &self,
        own: &str,
        caller: &Caller,
        policies: &Policies,
        request: &Arc<Context>,
    ) -> Result<(), Denial> {
        if caller.is_root() {
            return Ok(());
        }
        let mut context = Context::over(request.clone());
        if let Some(account) = account_of(&self.arn, &caller.account) {
            context.set("aws:ResourceAccount", account);
        }
        context.extend(self.keys.clone());
        let question = Question { action: self.action.unwrap_or(own), resource: &self.arn, context: &context };
        match decide(policies, &question, self.granted) {
            Decision::Allowed => Ok(()),
            Decision::Denied(why) => Err(why),
        }
    }

    /// Keys of the call, of which the resource's own win.
    pub(crate) fn in_call(mut self, conditions: &[(String, Vec<String>)]) -> Self {
        let mut keys = Context::default();
        for (key, values) in conditions {
            keys.set_all(key, values.clone());
        }
        keys.extend(self.keys);
        self.keys = keys;
        self
    }
}

/// The account that owns what an ARN names; what has no owner in its ARN (`*`, an image) is the caller's, unless the
/// operation says otherwise.
fn account_of<'a>(arn: &'a str, own: &'a str) -> Option<&'a str> {
    match arn.split(':').nth(4) {
        None | Some("") => Some(own),
        Some("*") => None,
        Some(account) => Some(account),
    }
}
