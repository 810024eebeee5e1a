//! Tests of a site's parts.

#![expect(clippy::unwrap_used, reason = "a test says what it expects by failing")]

mod control_plane;
mod instance;
mod instances;
mod link;
