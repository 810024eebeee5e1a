//! Every effect on the host: namespaces, netlink, nftables, cgroups, mounts, processes.
