//! What the Region wants of clusters, and what sites saw of them.

mod access_entry;
mod cluster;

pub use access_entry::AccessEntry;
pub use cluster::{
    AuthenticationMode, Cluster, ControlPlaneMember, Creator, HealthIssue, ObservedCluster, OutpostConfig, VpcConfig,
    WantedCluster,
};
