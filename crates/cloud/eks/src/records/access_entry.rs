use std::collections::BTreeMap;

use eksile_store::Record;
use serde::{Deserialize, Serialize};

/// An IAM principal's standing in a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessEntry {
    /// `CLUSTER-NAME/PRINCIPAL-ARN`: the record's id.
    pub id: String,
    /// The cluster's id.
    pub cluster_id: String,
    /// The cluster's name.
    pub cluster_name: String,
    /// IAM ARN, path included; never an STS one.
    pub principal_arn: String,
    /// The principal's unique id (`AIDA…`, `AROA…`): a principal made anew under the same ARN is another one.
    pub principal_id: String,
    /// `arn:aws:eks:R:A:access-entry/…`.
    pub access_entry_arn: String,
    /// `STANDARD`, `EC2_LINUX`, …
    pub entry_type: String,
    /// Kubernetes user name, possibly a template.
    pub username: String,
    /// Kubernetes groups.
    pub kubernetes_groups: Vec<String>,
    /// Seconds since the epoch.
    pub created_at: i64,
    /// Seconds since the epoch.
    pub modified_at: i64,
    /// User tags.
    pub tags: BTreeMap<String, String>,
}

impl AccessEntry {
    /// The record's id.
    #[must_use]
    pub fn id_of(cluster: &str, principal_arn: &str) -> String {
        format!("{cluster}/{principal_arn}")
    }
}

impl Record for AccessEntry {
    const SERVICE: &'static str = "eks";
    const KIND: &'static str = "access-entry";

    fn id(&self) -> &str {
        &self.id
    }
}
