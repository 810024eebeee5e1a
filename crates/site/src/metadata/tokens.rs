use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use eksile_base::entropy;

/// Session tokens of IMDSv2. They live in memory: after a restart callers ask for new ones, as the SDKs do on a 401.
#[derive(Default)]
pub(super) struct Tokens {
    known: Mutex<HashMap<String, (String, Instant)>>,
}

impl Tokens {
    /// A token for an instance.
    pub(super) fn make(&self, instance_id: &str, lifetime: Duration) -> String {
        let token = hex(&entropy::bytes::<32>());
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        known.retain(|_, (_, end)| *end > now);
        known.insert(token.clone(), (instance_id.to_owned(), now + lifetime));
        token
    }

    /// Whether a token is an instance's, and still good.
    pub(super) fn check(&self, token: &str, instance_id: &str) -> bool {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(token).is_some_and(|(owner, end)| owner == instance_id && *end > Instant::now())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
