//! Client certificates: common name is the user, organizations are the groups, in order, repetitions kept.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::strategy::User;

/// What a connection's certificate says.
#[derive(Debug, Clone)]
pub enum Presented {
    /// There is none.
    Nothing,
    /// It verifies.
    User(User),
    /// It does not (foreign, expired, not for clients): every request on this connection is 401.
    Bad,
}

/// Lets every certificate through the handshake (its key is proven there) and judges it afterwards, so that a bad
/// one is answered with 401 rather than with a broken handshake, as upstream does.
#[derive(Debug)]
pub struct Lenient {
    strict: Arc<dyn ClientCertVerifier>,
}

impl Lenient {
    /// A lenient form of a strict verifier.
    #[must_use]
    pub fn new(strict: Arc<dyn ClientCertVerifier>) -> Arc<Self> {
        Arc::new(Self { strict })
    }

    /// Judges the chain that a client presented.
    #[must_use]
    pub fn judge(&self, chain: Option<&[CertificateDer<'_>]>) -> Presented {
        let Some([own, others @ ..]) = chain else { return Presented::Nothing };
        if let Err(error) = self.strict.verify_client_cert(own, others, UnixTime::now()) {
            tracing::info!(%error, "client certificate refused");
            return Presented::Bad;
        }
        user(own).map_or(Presented::Bad, Presented::User)
    }
}

/// The user that a certificate names.
#[must_use]
pub fn user(der: &[u8]) -> Option<User> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let subject = certificate.subject();
    let name = subject.iter_common_name().next().and_then(|n| n.as_str().ok())?.to_owned();
    let groups = subject.iter_organization().filter_map(|o| o.as_str().ok().map(str::to_owned)).collect();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, der);
    let id = format!("X509SHA256={}", hex(digest.as_ref()));
    let extra = vec![("authentication.kubernetes.io/credential-id".to_owned(), vec![id])];
    Some(User { name, uid: String::new(), groups, extra })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

impl ClientCertVerifier for Lenient {
    fn offer_client_auth(&self) -> bool {
        true
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.strict.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.strict.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.strict.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.strict.supported_verify_schemes()
    }
}
