//! What every store promises, on SQLite and on the double alike; and what the durable one promises beyond.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should end")]

mod contract;
mod crash;
mod durable;
mod model;
mod world;
