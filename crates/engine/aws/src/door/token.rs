//! Idempotency tokens: the same token with the same parameters gets the first answer again.
//!
//! Kept in the transaction of the change itself, for a day of product time.

use aws_lc_rs::digest::{Context, SHA256};
use eksile_store::{Record, Scope, Txn};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::decode::Decoded;
use super::encode::Reply;
use super::locate::Located;
use crate::contract::{Call, Fault, Protocol};
use crate::shape::Tree;

const KEPT: SignedDuration = SignedDuration::from_hours(24);
/// How many old tokens each new one takes away; tokens are random, so any few will do.
const SWEPT: usize = 8;

/// A request's token.
#[derive(Debug)]
pub(crate) struct Token {
    id: String,
    fingerprint: String,
    protocol: Protocol,
}

/// An answer that was given.
#[derive(Serialize, Deserialize)]
struct Answered {
    id: String,
    fingerprint: String,
    reply: Reply,
    /// Seconds since the epoch, product time.
    until: i64,
}

impl Record for Answered {
    const SERVICE: &'static str = "door";
    const KIND: &'static str = "token";

    fn id(&self) -> &str {
        &self.id
    }
}

impl Token {
    /// The token of a request that has one.
    pub(crate) fn of(decoded: &Decoded<'_>, located: &Located<'_>) -> Option<Self> {
        let name = decoded.facts.token?;
        let token = decoded.tree.member(name)?.text().ok().filter(|token| !token.is_empty())?;
        let mut hash = Context::new(&SHA256);
        feed(&decoded.tree, &mut hash);
        let id = format!("{}/{}/{token}", located.service.name, decoded.operation.name());
        let fingerprint = hex::encode(hash.finish());
        Some(Self { id, fingerprint, protocol: located.service.protocol })
    }

    /// The answer that this token got before.
    pub(crate) fn earlier(&self, call: &Call<'_>, txn: &Txn<'_>) -> Result<Option<Reply>, Fault> {
        let answered: Option<Answered> = txn.record(&scope(call), &self.id)?;
        match answered.filter(|answered| answered.until > call.now.as_second()) {
            None => Ok(None),
            Some(answered) if answered.fingerprint == self.fingerprint => Ok(Some(answered.reply)),
            Some(_) => Err(self.mismatch()),
        }
    }

    /// Keeps the answer, and forgets a few that are past their time. One that cannot be read stays: its time is not known,
    /// and it is no part of this call.
    pub(crate) fn keep(&self, call: &Call<'_>, txn: &mut Txn<'_>, reply: &Reply) -> Result<(), Fault> {
        let scope = scope(call);
        let prefix = scope.prefix::<Answered>();
        for entry in txn.scan(&prefix, Some(&scope.key::<Answered>(&self.id)), SWEPT) {
            match entry.decode::<Answered>() {
                Ok(answered) if answered.until <= call.now.as_second() => {
                    txn.delete(&entry.key);
                }
                Ok(_) => {}
                Err(error) => tracing::warn!(key = ?entry.key, %error, "an answer that was kept cannot be read"),
            }
        }
        let until = (call.now + KEPT).as_second();
        let (id, fingerprint) = (self.id.clone(), self.fingerprint.clone());
        txn.put_record(&scope, &Answered { id, fingerprint, reply: reply.clone(), until })?;
        Ok(())
    }

    fn mismatch(&self) -> Fault {
        let code = match self.protocol {
            Protocol::Ec2 => "IdempotentParameterMismatch",
            Protocol::Query => "IdempotentParameterMismatchException",
            Protocol::RestJson(_) | Protocol::Json { .. } => "InvalidRequestException",
        };
        Fault::client(code, 400, "The request uses the same client token as a previous, but non-identical request.")
    }
}

/// Apart from the services' own records, also where the service has no Region.
fn scope(call: &Call<'_>) -> Scope {
    call.scope.clone()
}

/// Every member in order, with its length, so that no two requests read the same.
fn feed(tree: &Tree, hash: &mut Context) {
    let mut text = |kind: u8, text: &str| {
        hash.update(&[kind]);
        hash.update(&text.len().to_be_bytes());
        hash.update(text.as_bytes());
    };
    match tree {
        Tree::Null => text(0, ""),
        Tree::Bool(value) => text(1, if *value { "1" } else { "0" }),
        Tree::Number(number) => text(2, &number.to_string()),
        Tree::Text(value) | Tree::Raw(value) => text(3, value),
        Tree::List(items) => {
            text(4, &items.len().to_string());
            items.iter().for_each(|item| feed(item, hash));
        }
        Tree::Map(members) | Tree::Form(members) => {
            text(5, &members.len().to_string());
            for (name, member) in members {
                feed(&Tree::Text(name.clone()), hash);
                feed(member, hash);
            }
        }
    }
}
