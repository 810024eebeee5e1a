//! The built-in kinds behind a whole door, in memory.

#![expect(clippy::unwrap_used, reason = "a test says what it expects by failing")]

mod collections;
mod confined;
mod given;
mod world;
