use eksile_store::Record;
use serde::{Deserialize, Serialize};

use super::{Grants, Tags};

/// An IAM user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Unique in the account, whatever its case.
    pub name: String,
    /// `/` or `/…/`.
    pub path: String,
    /// `AIDA…`.
    pub user_id: String,
    /// Seconds since the epoch.
    pub created: i64,
    /// Policies.
    pub grants: Grants,
    /// User tags.
    pub tags: Tags,
}

impl User {
    /// `arn:aws:iam::A:user/PATH/NAME`.
    #[must_use]
    pub fn arn(&self, account: &str) -> String {
        format!("arn:aws:iam::{account}:user{}{}", self.path, self.name)
    }
}

impl Record for User {
    const SERVICE: &'static str = "iam";
    const KIND: &'static str = "user";

    fn id(&self) -> &str {
        &self.name
    }
}
