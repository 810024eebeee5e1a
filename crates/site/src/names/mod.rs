//! The VPC's resolver, at the second address after the base of the VPC's block.

mod serve;
mod zone;

pub use serve::{answer, serve_tcp, serve_udp};
pub use zone::{Found, Zone};
