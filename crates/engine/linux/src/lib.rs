//! Every effect on the host: namespaces, netlink, nftables, cgroups, mounts, processes.

mod error;
pub mod fdpass;
pub mod netns;
pub mod signal;
pub mod terminal;

pub use error::Error;
pub use netns::Namespace;
