//! The kubelet of a node, its container runtime, and the shim that stands beside each container.

pub mod cgroup;
pub mod runtime;
pub mod shim;
