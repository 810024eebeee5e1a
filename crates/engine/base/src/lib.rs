//! Clocks, ids, entropy: what every other crate may rely on.
