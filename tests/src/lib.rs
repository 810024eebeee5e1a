//! End-to-end tests with unmodified clients: what their stories share.

#![expect(clippy::unwrap_used, reason = "a test says what it expects by failing")]
#![expect(clippy::must_use_candidate, reason = "a test asks for what it looks at")]

pub mod certificate;
pub mod installation;
pub mod pods;
