use std::collections::BTreeMap;

use eksile_store::Record;
use serde::{Deserialize, Serialize};

use super::{Grants, Tags};

/// An IAM role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    /// Unique in the account, whatever its case.
    pub name: String,
    /// `/` or `/…/`.
    pub path: String,
    /// `AROA…`.
    pub role_id: String,
    /// The trust policy, as it was given; accounts are written as their roots.
    pub trust: String,
    /// Who the users, roles and sessions are that the trust policy names: ARN to unique id (`ID:SESSION` of a session), as
    /// of when the policy was saved. An ARN that is not here is trusted no more.
    #[serde(default)]
    pub trusted: BTreeMap<String, String>,
    /// For people.
    pub description: Option<String>,
    /// Longest session, in seconds: 3600 to 43200.
    pub max_session: i64,
    /// Seconds since the epoch.
    pub created: i64,
    /// Policies.
    pub grants: Grants,
    /// User tags.
    pub tags: Tags,
}

impl Role {
    /// `arn:aws:iam::A:role/PATH/NAME`.
    #[must_use]
    pub fn arn(&self, account: &str) -> String {
        format!("arn:aws:iam::{account}:role{}{}", self.path, self.name)
    }
}

impl Record for Role {
    const SERVICE: &'static str = "iam";
    const KIND: &'static str = "role";

    fn id(&self) -> &str {
        &self.name
    }
}
