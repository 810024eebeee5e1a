use eksile_store::{Record, Scope};
use serde::{Deserialize, Serialize};

/// A user's long-term key. Its debug form does not show the secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessKey {
    /// `AKIA…`, or what the administrator chose.
    pub access_key_id: String,
    /// The secret; told once, when the key is made.
    pub secret: String,
    /// The user's name.
    pub user: String,
    /// `Active`, not `Inactive`.
    pub active: bool,
    /// Seconds since the epoch.
    pub created: i64,
}

impl Record for AccessKey {
    const SERVICE: &'static str = "iam";
    const KIND: &'static str = "access-key";

    fn id(&self) -> &str {
        &self.access_key_id
    }
}

impl std::fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccessKey").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

/// Which account a key belongs to: a request shows the key before the account is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyOwner {
    /// `AKIA…` or `ASIA…`.
    pub access_key_id: String,
    /// Twelve digits.
    pub account: String,
}

impl KeyOwner {
    /// Apart from every account.
    #[must_use]
    pub fn scope() -> Scope {
        Scope::new("keys", "global")
    }
}

impl Record for KeyOwner {
    const SERVICE: &'static str = "iam";
    const KIND: &'static str = "key-owner";

    fn id(&self) -> &str {
        &self.access_key_id
    }
}
