//! The AWS door: locate, decode, verify SigV4, authorize, run, encode.
//!
//! A service is a name, a protocol and a list of operations; an operation is one file: a struct
//! named as the operation whose fields are its input, and one function of caller, input and
//! transaction ([`Command`]) or view ([`Lookup`]). Everything that operations share belongs to the
//! door: pagination, dry run, request ids, idempotency tokens, authorization.
//!
//! Knows the protocols and the policy language. Knows no service's records.

// Derived code names this crate by its full path.
extern crate self as eksile_aws;

mod codec;
mod contract;
mod directory;
mod door;
pub mod inputs;
mod model;
mod pattern;
pub mod policy;
pub mod shape;

pub use contract::{
    Ask, Call, Caller, Command, CountedMint, Fault, Guard, Lookup, Mint, Operation, Origin, Place, Principal, Protocol,
    Read, Reads, Rehearsal, Service, SessionFacts, SystemMint, Vantage,
};
pub use directory::{Credential, Directory, Policies};
pub use door::{BODY_LIMIT, Between, Door, SOURCE_INSTANCE};
pub use eksile_shape::Shape;
pub use shape::Shape;
