//! Station 4: may the caller?

use super::bind::Bound;
use crate::contract::{Ask, Call, Erased, Fault, Guard, Reads};

impl Bound<'_> {
    /// Everything that an operation asks of its input must be allowed, in the state that the caller was bound in.
    pub(crate) fn allow(&self, input: &dyn Erased, operation: &str, state: Reads<'_>) -> Result<(), Fault> {
        if input.guard() == Guard::Open || self.caller.is_root() {
            return Ok(());
        }
        let call = self.call();
        let own = format!("{}:{operation}", self.sent.located.service.name);
        let conditions = input.conditions(&call);
        let asks = input.asks(&call, state)?;
        if asks.is_empty() {
            return Err(Fault::internal(&NothingAsked));
        }
        // A fault is told once all is allowed, so that nobody learns by it what they may not ask.
        let mut fault = None;
        for mut ask in asks {
            let found = ask.fault.take();
            fault = fault.or(found);
            self.decide(&call, ask, &own, &conditions)?;
        }
        fault.map_or(Ok(()), Err)
    }

    fn decide(&self, call: &Call<'_>, ask: Ask, own: &str, conditions: &[(String, Vec<String>)]) -> Result<(), Fault> {
        let ask = if ask.action.is_none() { ask.in_call(conditions) } else { ask };
        let (caller, action) = (&self.caller, ask.action.unwrap_or(own));
        ask.decide(own, caller, &self.policies, &call.context)
            .map_err(|why| self.sent.located.dialect.denied(&caller.arn, action, &ask.arn, why))
    }
}

/// An operation has nothing to ask: a mistake of its author's, so nobody may.
#[derive(Debug, thiserror::Error)]
#[error("the operation asks nothing of the policies")]
struct NothingAsked;
