//! Client certificates: common name is the user, organizations are the groups, in order, repetitions kept.

use eksile_pki::ClientVerifier;
use jiff::Timestamp;
use rustls::pki_types::CertificateDer;

use crate::strategy::User;

/// What a connection's certificate says.
#[derive(Debug, Clone)]
pub enum Presented {
    /// There is none, or none that names anybody.
    Nothing,
    /// It verifies, until then: a connection outlives it, and every request is judged.
    User(User, Timestamp),
    /// It does not (foreign, expired, not for clients): every request on this connection is 401.
    Bad,
}

/// Judges, at wall time `now`, the chain that a client presented. The handshake let it through whatever it is (its key
/// was proven there), so that a bad one is answered with 401 rather than with a broken handshake, as upstream does.
#[must_use]
pub fn judge(clients: &ClientVerifier, chain: Option<&[CertificateDer<'_>]>, now: Timestamp) -> Presented {
    let Some(chain @ [own, ..]) = chain else { return Presented::Nothing };
    match clients.verify(chain, now) {
        // It tells nobody's name, so it tells nothing.
        Ok(identity) if identity.common_name.is_empty() => Presented::Nothing,
        Ok(identity) => {
            let user = User {
                name: identity.common_name,
                uid: String::new(),
                groups: identity.organizations,
                extra: vec![("authentication.kubernetes.io/credential-id".to_owned(), vec![credential_id(own)])],
            };
            Presented::User(user, identity.not_after)
        }
        Err(error) => {
            tracing::info!(%error, "client certificate refused");
            Presented::Bad
        }
    }
}

fn credential_id(der: &[u8]) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, der);
    let hex: String = digest.as_ref().iter().map(|b| format!("{b:02x}")).collect();
    format!("X509SHA256={hex}")
}
