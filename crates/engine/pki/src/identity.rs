use std::{fmt, sync::Arc, time::Duration};

use jiff::Timestamp;
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, UnixTime},
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};
use x509_parser::{
    oid_registry::{OID_X509_COMMON_NAME, OID_X509_ORGANIZATION_NAME},
    prelude::{FromDer, X509Certificate},
    x509::X509Name,
};

use crate::{PkiError, tls};

/// Who a client certificate says its holder is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The last common name, as Kubernetes takes it for the user; empty when there is none.
    pub common_name: String,
    /// Every organization, in order: the groups.
    pub organizations: Vec<String>,
    /// From when it is valid, and until when.
    pub not_before: Timestamp,
    /// As above.
    pub not_after: Timestamp,
}

impl Identity {
    /// Reads a certificate. **It believes it**: verify it first.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(certificate: &[u8]) -> Result<Identity, PkiError> {
        let malformed = |reason: String| PkiError::malformed("certificate", reason);
        let (_, parsed) = X509Certificate::from_der(certificate).map_err(|error| malformed(error.to_string()))?;
        let (common_name, organizations) = subject(parsed.subject()).map_err(malformed)?;
        let (not_before, not_after) = validity(certificate)?;
        Ok(Identity { common_name, organizations, not_before, not_after })
    }
}

/// Common name and organizations of a name.
pub(crate) fn subject(name: &X509Name<'_>) -> Result<(String, Vec<String>), String> {
    let mut common_name = String::new();
    let mut organizations = Vec::new();
    for attribute in name.iter_attributes() {
        let text = || attribute.as_str().map(str::to_owned).map_err(|_| "a name in an unknown alphabet".to_owned());
        if *attribute.attr_type() == OID_X509_COMMON_NAME {
            common_name = text()?;
        } else if *attribute.attr_type() == OID_X509_ORGANIZATION_NAME {
            organizations.push(text()?);
        }
    }
    Ok((common_name, organizations))
}

/// Verifies client certificates that TLS has only asked for ([`ClientAuth::Asked`](crate::ClientAuth::Asked)), so that
/// who brings a bad one gets an answer in the protocol's own words.
pub struct ClientVerifier {
    inner: Arc<dyn ClientCertVerifier>,
}

impl fmt::Debug for ClientVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientVerifier").finish_non_exhaustive()
    }
}

impl ClientVerifier {
    /// A verifier that trusts the authorities in `ca_pem`.
    ///
    /// # Errors
    /// When there are none.
    pub fn new(ca_pem: &str) -> Result<ClientVerifier, PkiError> {
        let roots: RootCertStore = tls::roots(ca_pem)?;
        let inner = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), tls::provider())
            .build()
            .map_err(|error| PkiError::Tls(error.to_string()))?;
        Ok(ClientVerifier { inner })
    }

    /// Who holds the chain (the holder's certificate first, as TLS hands it over), at wall time `now`. Its end is that of
    /// whichever certificate of the chain ends first: by then, whoever goes on believing must ask again.
    ///
    /// # Errors
    /// [`PkiError::Refused`] when it does not lead to a trusted authority, is out of its time, or not for clients.
    pub fn verify(&self, chain: &[CertificateDer<'_>], now: Timestamp) -> Result<Identity, PkiError> {
        let [certificate, intermediates @ ..] = chain else {
            return Err(PkiError::malformed("certificate", "none"));
        };
        let seconds = u64::try_from(now.as_second()).unwrap_or_default();
        let now = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        self.inner.verify_client_cert(certificate, intermediates, now).map_err(PkiError::Refused)?;
        let mut holder = Identity::read(certificate)?;
        for issuer in intermediates {
            holder.not_after = holder.not_after.min(validity(issuer)?.1);
        }
        Ok(holder)
    }
}

/// From when a certificate is valid, and until when.
fn validity(certificate: &[u8]) -> Result<(Timestamp, Timestamp), PkiError> {
    let malformed = |reason: String| PkiError::malformed("certificate", reason);
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|error| malformed(error.to_string()))?;
    let time = |at: i64| Timestamp::from_second(at).map_err(|error| malformed(error.to_string()));
    let validity = parsed.validity();
    Ok((time(validity.not_before.timestamp())?, time(validity.not_after.timestamp())?))
}
