use eksile_aws::SessionFacts;
use eksile_store::Record;
use serde::{Deserialize, Serialize};

/// A role's session: temporary credentials. Its debug form shows no secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// `ASIA…`.
    pub access_key_id: String,
    /// The secret.
    pub secret: String,
    /// What must accompany it.
    pub token: String,
    /// Seconds since the epoch, wall time.
    pub expires: i64,
    /// The role's name.
    pub role: String,
    /// The role's unique id: a role made anew does not revive the sessions of the old one.
    pub role_id: String,
    /// Role session name; the instance's id for instances.
    pub name: String,
    /// Documents that narrow the session.
    pub policies: Vec<String>,
    /// What conditions can ask of it.
    #[serde(default)]
    pub facts: SessionFacts,
}

impl Record for Session {
    const SERVICE: &'static str = "sts";
    const KIND: &'static str = "session";

    fn id(&self) -> &str {
        &self.access_key_id
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}
