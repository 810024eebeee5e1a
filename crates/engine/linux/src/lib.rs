//! Effects on the host: namespaces and sockets in them, netlink, nftables, processes, the world itself.
//!
//! Knows the kernel's interfaces; knows nothing of clouds or clusters. What should be done to a
//! network is written down as [`Action`] values first; [`Host`] does them, [`Script`] only records
//! them. It is the only crate of the workspace with unsafe code.

pub mod action;
pub mod cgroup;
mod error;
pub mod fdpass;
pub mod fork;
pub mod netlink;
pub mod netns;
pub mod process;
pub mod reap;
pub mod seccomp;
pub mod signal;
pub mod socket;
pub mod terminal;
pub mod tree;
pub mod userns;
pub mod world;

pub use action::{Action, Effects, Failure, Host, Script, What};
pub use error::Error;
pub use netns::Namespace;
pub use userns::IdRange;
