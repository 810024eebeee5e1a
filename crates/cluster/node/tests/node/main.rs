//! The runtime with real containers. Needs root; otherwise each test says that it is skipped.

mod bundle;
mod shim;
