//! The runtime with real containers. Needs root; otherwise each test says that it is skipped.

#![expect(clippy::unwrap_used, reason = "a test says what it expects by failing")]

mod bundle;
mod images;
mod pull;
mod shim;
