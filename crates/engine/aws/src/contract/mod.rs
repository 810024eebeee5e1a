//! What an operation sees of the door, and the door of an operation.

mod ask;
mod call;
mod caller;
mod fault;
mod mint;
mod operation;
mod reads;
mod service;

pub use ask::Ask;
pub use call::{Call, Place, Vantage};
pub use caller::{Caller, Origin, Principal, SessionFacts};
pub use fault::Fault;
pub use mint::{CountedMint, Mint, SystemMint};
pub use operation::{Command, Guard, Lookup, Operation, Rehearsal};
pub(crate) use operation::{Erased, Kind};
pub use reads::{Read, Reads};
pub use service::{Protocol, Service};
