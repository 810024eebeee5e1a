//! Station 4: may the caller?

use super::decode::Decoded;
use super::locate::Located;
use crate::contract::{Ask, Call, Erased, Fault, Guard, Reads};
use crate::directory::Policies;

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
        // A fault is told once all is allowed, so that nobody learns by it what they may not ask.
        let mut fault = None;
        for mut ask in asks {
            let found = ask.fault.take();
            fault = fault.or(found);
            self.decide(ask, &own, &conditions)?;
        }
        fault.map_or(Ok(()), Err)
    }

    fn decide(&self, ask: Ask, own: &str, conditions: &[(String, Vec<String>)]) -> Result<(), Fault> {
        let ask = if ask.action.is_none() { ask.in_call(conditions) } else { ask };
        let (caller, action) = (self.call.caller, ask.action.unwrap_or(own));
        ask.decide(own, caller, self.policies, &self.call.context)
            .map_err(|why| self.located.dialect.denied(&caller.arn, action, &ask.arn, why))
    }
}

/// An operation has nothing to ask: a mistake of its author's, so nobody may.
#[derive(Debug, thiserror::Error)]
#[error("the operation asks nothing of the policies")]
struct NothingAsked;
