use std::{io, path::PathBuf};

/// A certificate, request, or key that cannot be made, read, or believed.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// Not of the form it should have.
    #[error("{what}: {reason}")]
    Malformed {
        /// What was read.
        what: &'static str,
        /// Why not.
        reason: String,
    },
    /// Text that is not one signing request.
    #[error("PEM block type must be CERTIFICATE REQUEST")]
    NoRequest,
    /// The request's signature is not by the key it carries, or by an algorithm that proves nothing.
    #[error("the signature of the certificate request does not verify")]
    Unproven,
    /// The chain does not lead to a trusted authority, or is out of its time, or not for this use.
    #[error("certificate not accepted: {0}")]
    Refused(rustls::Error),
    /// The library cannot do it.
    #[error("cryptography: {0}")]
    Crypto(&'static str),
    /// A TLS configuration that cannot work.
    #[error("tls: {0}")]
    Tls(String),
    /// A file.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl PkiError {
    #[expect(clippy::needless_pass_by_value, reason = "for map_err")]
    pub(crate) fn malformed(what: &'static str, reason: impl ToString) -> PkiError {
        PkiError::Malformed { what, reason: reason.to_string() }
    }
}

/// A token that is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not a compact JWS with RS256, or not the claims expected.
    #[error("not a service account token")]
    Malformed,
    /// Signed by a key that is not ours.
    #[error("signed by an unknown key")]
    UnknownKey,
    /// The signature is wrong.
    #[error("the signature does not verify")]
    Signature,
    /// Of another issuer.
    #[error("of another issuer")]
    Issuer,
    /// Not for us.
    #[error("for another audience")]
    Audience,
    /// Its time has passed.
    #[error("expired")]
    Expired,
    /// Its time has not come.
    #[error("not yet valid")]
    NotYetValid,
}
