use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use jiff::Timestamp;
use rustls::{
    SignatureScheme,
    client::ResolvesClientCert,
    pki_types::CertificateDer,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::{KeyPair, PkiError, tls};

type Issue = dyn Fn() -> Result<KeyPair, PkiError> + Send + Sync;
type Now = dyn Fn() -> Timestamp + Send + Sync;

/// A certificate of a process that runs for as long as it likes: issued anew, with a new key, once four fifths of its
/// life are over (as the kubelet does it), at the next handshake. Connections that stand keep the one that they began with.
pub struct Renewed {
    issue: Box<Issue>,
    now: Box<Now>,
    kept: Mutex<Kept>,
}

struct Kept {
    key: Arc<CertifiedKey>,
    renew_at: Timestamp,
}

impl Renewed {
    /// With certificates from `issue`, by the system's clock.
    ///
    /// # Errors
    /// When the first cannot be issued.
    pub fn new(
        issue: impl Fn() -> Result<KeyPair, PkiError> + Send + Sync + 'static,
    ) -> Result<Arc<Renewed>, PkiError> {
        Renewed::by_clock(issue, Timestamp::now)
    }

    /// By another clock.
    ///
    /// # Errors
    /// When the first cannot be issued.
    pub fn by_clock(
        issue: impl Fn() -> Result<KeyPair, PkiError> + Send + Sync + 'static,
        now: impl Fn() -> Timestamp + Send + Sync + 'static,
    ) -> Result<Arc<Renewed>, PkiError> {
        let kept = Mutex::new(Kept::of(&issue()?)?);
        Ok(Arc::new(Renewed { issue: Box::new(issue), now: Box::new(now), kept }))
    }

    /// The certificate to show now.
    fn current(&self) -> Arc<CertifiedKey> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if (self.now)() >= kept.renew_at {
            // The old one is shown for as long as there is no other; it holds for a fifth of its life yet.
            match (self.issue)().and_then(|pair| Kept::of(&pair)) {
                Ok(next) => *kept = next,
                Err(error) => tracing::error!(%error, "a certificate cannot be renewed"),
            }
        }
        Arc::clone(&kept.key)
    }
}

impl Kept {
    fn of(pair: &KeyPair) -> Result<Kept, PkiError> {
        let (chain, key) = tls::chain_and_key(pair)?;
        let first = chain.first().ok_or_else(|| PkiError::malformed("certificate", "none"))?;
        let renew_at = four_fifths(first)?;
        let key = CertifiedKey::from_der(chain, key, &tls::provider()).map_err(tls::refused)?;
        Ok(Kept { key: Arc::new(key), renew_at })
    }
}

fn four_fifths(certificate: &CertificateDer<'_>) -> Result<Timestamp, PkiError> {
    let (_, parsed) =
        X509Certificate::from_der(certificate).map_err(|error| PkiError::malformed("certificate", error))?;
    let (from, to) = (parsed.validity().not_before.timestamp(), parsed.validity().not_after.timestamp());
    Timestamp::from_second(from + (to - from) / 5 * 4).map_err(|error| PkiError::malformed("certificate", error))
}

impl ResolvesServerCert for Renewed {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }
}

impl ResolvesClientCert for Renewed {
    fn resolve(&self, _hints: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

impl fmt::Debug for Renewed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Renewed").finish_non_exhaustive()
    }
}
