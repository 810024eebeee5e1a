use eksile_store::Record;
use serde::{Deserialize, Serialize};

use super::Tags;

/// What gives an instance a role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceProfile {
    /// Unique in the account, whatever its case.
    pub name: String,
    /// `/` or `/…/`.
    pub path: String,
    /// `AIPA…`.
    pub instance_profile_id: String,
    /// The role's name; at most one.
    pub role: Option<String>,
    /// Seconds since the epoch.
    pub created: i64,
    /// User tags.
    pub tags: Tags,
}

impl InstanceProfile {
    /// `arn:aws:iam::A:instance-profile/PATH/NAME`.
    #[must_use]
    pub fn arn(&self, account: &str) -> String {
        format!("arn:aws:iam::{account}:instance-profile{}{}", self.path, self.name)
    }
}

impl Record for InstanceProfile {
    const SERVICE: &'static str = "iam";
    const KIND: &'static str = "instance-profile";

    fn id(&self) -> &str {
        &self.name
    }
}
