//! The native container runtime, as the node agent sees it: containers are directories with a shim each.

mod container;
mod exec;

pub use container::{Container, RuntimeError};
pub use exec::{Exec, ExecIo};
