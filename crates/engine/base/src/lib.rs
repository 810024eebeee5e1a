//! Clocks, ids, entropy, small files, standard error: what every other crate may rely on.

mod clock;
pub mod entropy;
pub mod files;
pub mod ids;
pub mod stderr;

pub use clock::Clock;
