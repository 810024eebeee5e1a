use std::collections::BTreeMap;

use eksile_aws::Shape;
use jiff::Timestamp;

use super::time;
use crate::records::AccessEntry;

/// `AccessEntry` of the EKS API.
#[derive(Debug, Shape)]
pub(crate) struct AccessEntryShown {
    cluster_name: String,
    principal_arn: String,
    kubernetes_groups: Vec<String>,
    access_entry_arn: String,
    created_at: Timestamp,
    modified_at: Timestamp,
    tags: BTreeMap<String, String>,
    username: String,
    #[shape(name = "type")]
    entry_type: String,
}

impl From<AccessEntry> for AccessEntryShown {
    fn from(entry: AccessEntry) -> Self {
        Self {
            cluster_name: entry.cluster_name,
            principal_arn: entry.principal_arn,
            kubernetes_groups: entry.kubernetes_groups,
            access_entry_arn: entry.access_entry_arn,
            created_at: time(entry.created_at),
            modified_at: time(entry.modified_at),
            tags: entry.tags,
            username: entry.username,
            entry_type: entry.entry_type,
        }
    }
}
