//! What the door asks of IAM.

use std::collections::BTreeMap;
use std::sync::Arc;

use eksile_store::RecordError;
use jiff::Timestamp;

use crate::contract::{Caller, Reads};
use crate::policy::Document;

/// Credentials and policies, wherever they are kept.
pub trait Directory: Send + Sync {
    /// The active credential of an access key id.
    ///
    /// # Errors
    /// A stored record is not readable.
    fn credential(&self, state: Reads<'_>, access_key_id: &str) -> Result<Option<Credential>, RecordError>;

    /// The policies that bind a caller, and its tags; root has neither.
    ///
    /// # Errors
    /// A stored record is not readable.
    fn policies(&self, state: Reads<'_>, caller: &Caller) -> Result<Policies, RecordError>;
}

/// A secret and whose it is. Its debug form does not show the secret.
#[derive(Clone)]
pub struct Credential {
    /// The secret access key.
    pub secret: String,
    /// The token that must accompany temporary credentials.
    pub session_token: Option<String>,
    /// Wall time at which temporary credentials end.
    pub expires: Option<Timestamp>,
    /// Who calls with it.
    pub caller: Caller,
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credential")
            .field("caller", &self.caller)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

/// Every policy that has a say about a caller.
#[derive(Debug, Clone, Default)]
pub struct Policies {
    /// Attached and inline, of the user or role.
    pub identity: Vec<Arc<Document>>,
    /// The permissions boundary.
    pub boundary: Option<Arc<Document>>,
    /// Policies of the session, which narrow it; empty: none were given.
    pub session: Vec<Arc<Document>>,
    /// Tags of the user or role, without those of the session.
    pub tags: Arc<BTreeMap<String, String>>,
}
