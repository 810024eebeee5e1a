//! Station 4: may the caller?

use bytes::Bytes;
use http::{HeaderName, Request, header};

use super::decode::Decoded;
use super::locate::Located;
use crate::contract::{Ask, Call, Erased, Fault, Guard, Reads};
use crate::directory::Policies;
use crate::policy::{Context, Decision, Question, decide};

/// A call with the policies that bind its caller.
pub(crate) struct Bound<'a> {
    pub(crate) call: &'a Call<'a>,
    pub(crate) policies: &'a Policies,
    pub(crate) located: &'a Located<'a>,
}

impl Bound<'_> {
    /// Everything that the operation asks must be allowed.
    pub(crate) fn authorize(&self, decoded: &Decoded<'_>, state: Reads<'_>) -> Result<(), Fault> {
        self.allow(&*decoded.input, decoded.operation.name, state)
    }

    /// The same, of an input and its operation's name.
    pub(crate) fn allow(&self, input: &dyn Erased, operation: &str, state: Reads<'_>) -> Result<(), Fault> {
        if input.guard() == Guard::Open || self.call.caller.is_root() {
            return Ok(());
        }
        let own = format!("{}:{operation}", self.located.service.name);
        let conditions = input.conditions(self.call);
        let asks = input.asks(self.call, state)?;
        if asks.is_empty() {
            return Err(Fault::internal(&NothingAsked));
        }
        for ask in asks {
            self.decide(ask, &own, &conditions)?;
        }
        Ok(())
    }

    fn decide(&self, ask: Ask, own: &str, conditions: &[(String, Vec<String>)]) -> Result<(), Fault> {
        let Ask { action, arn, keys, granted } = ask;
        let mut context = Context::over(self.call.context.clone());
        if let Some(account) = account_of(&arn, &self.call.caller.account) {
            context.set("aws:ResourceAccount", account);
        }
        if action.is_none() {
            for (key, values) in conditions {
                context.set_all(key, values.clone());
            }
        }
        context.extend(keys);
        let action = action.unwrap_or(own);
        match decide(self.policies, &Question { action, resource: &arn, context: &context }, granted) {
            Decision::Allowed => Ok(()),
            Decision::Denied(why) => Err(self.located.dialect.denied(&self.call.caller.arn, action, &arn, why)),
        }
    }
}

/// An operation has nothing to ask: a mistake of its author's, so nobody may.
#[derive(Debug, thiserror::Error)]
#[error("the operation asks nothing of the policies")]
struct NothingAsked;

/// The account that owns what an ARN names; what has no owner in its ARN (`*`, an image) is the caller's, unless the
/// operation says otherwise.
fn account_of<'a>(arn: &'a str, own: &'a str) -> Option<&'a str> {
    match arn.split(':').nth(4) {
        None | Some("") => Some(own),
        Some("*") => None,
        Some(account) => Some(account),
    }
}

/// The condition keys that are the client's own word.
pub(crate) fn tell_headers(request: &Request<Bytes>, context: &mut Context) {
    let told: [(HeaderName, &str); 2] = [(header::USER_AGENT, "aws:UserAgent"), (header::REFERER, "aws:referer")];
    for (name, key) in told {
        if let Some(value) = request.headers().get(name).and_then(|value| value.to_str().ok()) {
            context.set(key, value);
        }
    }
}
