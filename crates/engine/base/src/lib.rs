//! Clocks, ids, entropy: what every other crate may rely on.

mod clock;
pub mod entropy;
pub mod ids;

pub use clock::Clock;
