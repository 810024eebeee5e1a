//! Test kit: clocks, worlds, clients. A development dependency only.

mod aws_cli;
mod aws_server;
mod sign;

pub use aws_cli::{AwsCli, Outcome, skip};
pub use aws_server::AwsServer;
pub use sign::Signer;
