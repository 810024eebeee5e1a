use eksile_store::Record;
use serde::{Deserialize, Serialize};

use super::Tags;

/// A customer-managed policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Unique in the account, whatever its case.
    pub name: String,
    /// `/` or `/…/`.
    pub path: String,
    /// `ANPA…`.
    pub policy_id: String,
    /// For people.
    pub description: Option<String>,
    /// One to five, oldest first.
    pub versions: Vec<PolicyVersion>,
    /// Number of the version in force.
    pub default_version: u32,
    /// The highest number ever used.
    pub last_version: u32,
    /// Seconds since the epoch.
    pub created: i64,
    /// Seconds since the epoch.
    pub updated: i64,
    /// User tags.
    pub tags: Tags,
}

/// One version of a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyVersion {
    /// `vN`; never used twice.
    pub number: u32,
    /// As it was given.
    pub document: String,
    /// Seconds since the epoch.
    pub created: i64,
}

impl Policy {
    /// `arn:aws:iam::A:policy/PATH/NAME`.
    #[must_use]
    pub fn arn(&self, account: &str) -> String {
        format!("arn:aws:iam::{account}:policy{}{}", self.path, self.name)
    }

    /// The version of that number.
    #[must_use]
    pub fn version(&self, number: u32) -> Option<&PolicyVersion> {
        self.versions.iter().find(|version| version.number == number)
    }
}

impl Record for Policy {
    const SERVICE: &'static str = "iam";
    const KIND: &'static str = "policy";

    fn id(&self) -> &str {
        &self.name
    }
}
