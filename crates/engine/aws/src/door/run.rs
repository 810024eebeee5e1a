//! Station 5: the operation itself, with all that operations share around it.

use eksile_store::{View, WriteError};

use super::bind::Bound;
use super::decode::Decoded;
use super::encode::{self, Reply};
use super::locate::Located;
use super::{page, token};
use crate::contract::{Fault, Kind, Protocol, Reads};
use crate::shape::Tree;

/// Runs a lookup on the view, a command in a transaction.
pub(crate) async fn run(bound: Bound<'_>, decoded: Decoded<'_>, view: &View) -> Result<Reply, Fault> {
    let (sent, located) = (bound.sent, bound.sent.located);
    let dry = is_dry(&decoded, located);
    if decoded.operation.kind == Kind::Lookup {
        let (facts, tree) = (decoded.facts, decoded.tree);
        let value = decoded.input.look(&bound.call(), view)?;
        if dry {
            return Err(would_have());
        }
        let value = page::paged(value, facts.page.as_ref(), &tree, located)?;
        return Ok(encode::reply(&value, &located.dialect));
    }
    let token = token::Token::of(&decoded, located);
    let (input, dialect, operation) = (decoded.input, &located.dialect, decoded.operation.name);
    let authorized_at = view.revision();
    if let Some(between) = &sent.door.between {
        between().await;
    }
    let written = sent.door.store.write(move |txn| {
        // What was allowed is what is done: when records changed meanwhile, all that was read of them is read again.
        let bound = if txn.revision().0 == authorized_at.0 + 1 {
            bound
        } else {
            let anew = sent.bind(Reads::of(txn))?;
            anew.allow(&*input, operation, Reads::of(txn))?;
            anew
        };
        let call = &bound.call();
        if let Some(earlier) = token.as_ref().map(|token| token.earlier(call, txn)).transpose()?.flatten() {
            return Ok(earlier);
        }
        let reply = encode::reply(&input.write(call, txn)?, dialect);
        if dry {
            return Err(would_have());
        }
        if let Some(token) = &token {
            token.keep(call, txn, &reply)?;
        }
        Ok(reply)
    });
    match written.await {
        Ok(committed) => Ok(committed.value),
        Err(WriteError::Refused(fault)) => Err(fault),
        Err(WriteError::Failed(error)) => Err(error.into()),
    }
}

/// EC2's `DryRun`.
fn is_dry(decoded: &Decoded<'_>, located: &Located<'_>) -> bool {
    let asked = matches!(decoded.tree.member("DryRun"), Some(Tree::Raw(text)) if text.eq_ignore_ascii_case("true"));
    asked && located.service.protocol == Protocol::Ec2
}

fn would_have() -> Fault {
    Fault::client("DryRunOperation", 412, "Request would have succeeded, but DryRun flag is set.")
}
