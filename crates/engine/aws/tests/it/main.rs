//! The door with services made for these tests: what operations share, protocol by protocol.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod ambiguous;
mod faults;
mod garbage;
mod policies;
mod rows;
mod scope;
mod shared;
mod world;
