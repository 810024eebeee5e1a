//! Operations as values.

use eksile_store::{Txn, View};

use super::{Ask, Call, Fault, Reads};
use crate::shape::{Case, DecodeError, Shape, Tree, Value};

/// An operation that changes records. Its fields are its input; the struct is named as the operation.
pub trait Command: Shape + Send + 'static {
    /// What it answers.
    type Output: Shape;

    /// Everything that the policies must allow: the operation on every resource that it acts on (those named by id or by
    /// name, nested ones, and those it makes), and what it does by the way. At least one; [`Ask::any`] when it acts on
    /// nothing in particular. What is not there is asked about all the same: only who may is told that it is missing.
    ///
    /// No fault on the way is left out: one that leaves a key untold goes into the [`Ask`] ([`Ask::failing`]).
    ///
    /// # Errors
    /// Records cannot be read: then nobody can say what the policies would.
    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault>;

    /// Condition keys of this request and their values, such as `eks:accessEntryType`.
    fn conditions(&self, _call: &Call<'_>) -> Vec<(String, Vec<String>)> {
        Vec::new()
    }

    /// What guards it.
    fn guard(&self) -> Guard {
        Guard::Policies
    }

    /// Runs alone, in the transaction that its changes become part of; must not wait.
    ///
    /// # Errors
    /// The fault that AWS answers; nothing is changed then.
    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<Self::Output, Fault>;
}

/// An operation that only reads.
pub trait Lookup: Shape + Send + 'static {
    /// What it answers.
    type Output: Shape;

    /// As [`Command::asks`].
    ///
    /// # Errors
    /// As there.
    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault>;

    /// As [`Command::conditions`].
    fn conditions(&self, _call: &Call<'_>) -> Vec<(String, Vec<String>)> {
        Vec::new()
    }

    /// As [`Command::guard`].
    fn guard(&self) -> Guard {
        Guard::Policies
    }

    /// Runs on a consistent view. Answer lists whole: the door pages them.
    ///
    /// # Errors
    /// The fault that AWS answers.
    fn run(self, call: &Call<'_>, view: &View) -> Result<Self::Output, Fault>;
}

/// What stands between a caller and an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// The policies must allow it.
    Policies,
    /// Nothing: whoever is authenticated may.
    Open,
}

/// Reads an input, whatever its operation.
pub(crate) type Decode = fn(&Tree, Case) -> Result<Box<dyn Erased>, DecodeError>;

/// Paths of what a request says and an input does not read.
pub(crate) type Unread = fn(&Tree, Case) -> Vec<String>;

/// A row of a service's list. `ops/mod.rs`, written by `cargo xtask lists`, holds
/// `pub(crate) static OPERATIONS: &[Operation] = &[Operation::command::<create_vpc::CreateVpc>(), …];`.
#[derive(Clone, Copy)]
pub struct Operation {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) decode: Decode,
    pub(crate) unread: Unread,
}

/// What a request would ask, and what of it would not be read.
#[derive(Debug)]
pub struct Rehearsal {
    /// What it would ask of the policies.
    pub asks: Result<Vec<Ask>, Fault>,
    /// Paths of members that the operation does not read.
    pub unread: Vec<String>,
}

/// Whether an operation writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Command,
    Lookup,
}

impl Operation {
    /// The row of a command.
    #[must_use]
    pub const fn command<C: Command>() -> Self {
        fn decode<C: Command>(tree: &Tree, case: Case) -> Result<Box<dyn Erased>, DecodeError> {
            Ok(Box::new(Writes(C::decode(tree, case)?)))
        }
        Self { name: C::NAME, kind: Kind::Command, decode: decode::<C>, unread: unread::<C> }
    }

    /// The row of a lookup.
    #[must_use]
    pub const fn lookup<L: Lookup>() -> Self {
        fn decode<L: Lookup>(tree: &Tree, case: Case) -> Result<Box<dyn Erased>, DecodeError> {
            Ok(Box::new(Looks(L::decode(tree, case)?)))
        }
        Self { name: L::NAME, kind: Kind::Lookup, decode: decode::<L>, unread: unread::<L> }
    }

    /// The operation's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// What a request with these members would ask of the policies, and the paths of members that the operation does not
    /// read. For tests that go over all operations.
    ///
    /// # Errors
    /// The members are no input of the operation.
    pub fn rehearse(
        &self,
        members: &Tree,
        case: Case,
        call: &Call<'_>,
        state: Reads<'_>,
    ) -> Result<Rehearsal, DecodeError> {
        let input = (self.decode)(members, case)?;
        let common = input.conditions(call);
        let with = |ask: Ask| match ask.action {
            None => common.iter().fold(ask, |ask, (key, values)| ask.keys_of(key, values.clone())),
            Some(_) => ask,
        };
        let asks = input.asks(call, state).map(|asks| asks.into_iter().map(with).collect());
        Ok(Rehearsal { asks, unread: (self.unread)(members, case) })
    }
}

fn unread<S: Shape>(tree: &Tree, case: Case) -> Vec<String> {
    let mut found = Vec::new();
    S::unread(tree, case, "", &mut found);
    found
}

impl std::fmt::Debug for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Operation").field("name", &self.name).field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// A decoded input, whatever its operation.
pub(crate) trait Erased: Send {
    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault>;
    fn conditions(&self, call: &Call<'_>) -> Vec<(String, Vec<String>)>;
    fn guard(&self) -> Guard;
    fn write(self: Box<Self>, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<Value, Fault>;
    fn look(self: Box<Self>, call: &Call<'_>, view: &View) -> Result<Value, Fault>;
}

struct Writes<C>(C);
struct Looks<L>(L);

/// The door asks an operation's kind before it runs it.
#[derive(Debug, thiserror::Error)]
#[error("the operation is of the other kind")]
struct OtherKind;

impl<C: Command> Erased for Writes<C> {
    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        self.0.asks(call, state)
    }

    fn conditions(&self, call: &Call<'_>) -> Vec<(String, Vec<String>)> {
        self.0.conditions(call)
    }

    fn guard(&self) -> Guard {
        self.0.guard()
    }

    fn write(self: Box<Self>, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<Value, Fault> {
        self.0.run(call, txn).map(Shape::encode)
    }

    fn look(self: Box<Self>, _call: &Call<'_>, _view: &View) -> Result<Value, Fault> {
        Err(Fault::internal(&OtherKind))
    }
}

impl<L: Lookup> Erased for Looks<L> {
    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        self.0.asks(call, state)
    }

    fn conditions(&self, call: &Call<'_>) -> Vec<(String, Vec<String>)> {
        self.0.conditions(call)
    }

    fn guard(&self) -> Guard {
        self.0.guard()
    }

    fn write(self: Box<Self>, _call: &Call<'_>, _txn: &mut Txn<'_>) -> Result<Value, Fault> {
        Err(Fault::internal(&OtherKind))
    }

    fn look(self: Box<Self>, call: &Call<'_>, view: &View) -> Result<Value, Fault> {
        self.0.run(call, view).map(Shape::encode)
    }
}
