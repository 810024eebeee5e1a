//! The kubelet of a node, its runtime and the shim of each container.
