//! The kubelet of a node, its container runtime, and the shim that stands beside each container.

pub mod aws;
pub mod cgroup;
pub mod images;
pub mod runtime;
pub mod shim;
pub mod web;
