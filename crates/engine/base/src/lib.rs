//! Clocks, ids, entropy, small files: what every other crate may rely on.

mod clock;
pub mod entropy;
pub mod files;
pub mod ids;

pub use clock::Clock;
