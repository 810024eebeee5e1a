use std::sync::Arc;

use rustls::{
    ClientConfig, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, ServerConfig, SignatureScheme,
    client::{ResolvesClientCert, danger::HandshakeSignatureValid},
    crypto::{CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, PrivateKeyDer, UnixTime, pem::PemObject},
    server::{
        NoClientAuth, ResolvesServerCert, WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};

use crate::{KeyPair, PkiError, Renewed};

/// What a server wants of its clients' certificates.
#[derive(Debug, Clone, Copy)]
pub enum ClientAuth<'a> {
    /// Nothing.
    None,
    /// One of these authorities (PEM) is asked for. Who brings any must hold its key, and that is all that TLS checks:
    /// verify it with a [`ClientVerifier`](crate::ClientVerifier). Kubernetes does it so, and answers 401 to a bad one.
    Asked(&'a str),
    /// Who brings one must bring one that these authorities (PEM) signed.
    Optional(&'a str),
    /// Everybody must bring one that these authorities (PEM) signed.
    Required(&'a str),
}

impl<'a> From<Option<&'a str>> for ClientAuth<'a> {
    fn from(ca_pem: Option<&'a str>) -> ClientAuth<'a> {
        ca_pem.map_or(ClientAuth::None, ClientAuth::Optional)
    }
}

/// What a server shows.
#[derive(Debug, Clone, Copy)]
pub enum Shown<'a> {
    /// This, as long as it runs.
    Fixed(&'a KeyPair),
    /// What is renewed while it runs.
    Renewed(&'a Arc<Renewed>),
}

impl<'a> From<&'a KeyPair> for Shown<'a> {
    fn from(pair: &'a KeyPair) -> Shown<'a> {
        Shown::Fixed(pair)
    }
}

impl<'a> From<&'a Arc<Renewed>> for Shown<'a> {
    fn from(renewed: &'a Arc<Renewed>) -> Shown<'a> {
        Shown::Renewed(renewed)
    }
}

/// A server's TLS: version 1.2 and 1.3, protocols in order of preference (such as `h2`, `http/1.1`).
///
/// # Errors
/// When certificate, key or authorities cannot be read, or do not belong together.
pub fn server_config<'a, 'b>(
    shown: impl Into<Shown<'b>>,
    clients: impl Into<ClientAuth<'a>>,
    alpn: &[&str],
) -> Result<ServerConfig, PkiError> {
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(refused)?
        .with_client_cert_verifier(verifier(clients.into())?);
    let mut config = match shown.into() {
        Shown::Fixed(pair) => {
            let (chain, key) = chain_and_key(pair)?;
            builder.with_single_cert(chain, key).map_err(refused)?
        }
        Shown::Renewed(renewed) => builder.with_cert_resolver(Arc::clone(renewed) as Arc<dyn ResolvesServerCert>),
    };
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    Ok(config)
}

/// A client's TLS that trusts the authorities in `ca_pem` alone, and shows `pair` when asked.
///
/// # Errors
/// As [`server_config`].
pub fn client_config(ca_pem: &str, pair: Option<&KeyPair>) -> Result<ClientConfig, PkiError> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(refused)?
        .with_root_certificates(roots(ca_pem)?);
    let Some(pair) = pair else { return Ok(builder.with_no_client_auth()) };
    let (chain, key) = chain_and_key(pair)?;
    builder.with_client_auth_cert(chain, key).map_err(refused)
}

/// As [`client_config`], with a certificate that is renewed while the client runs.
///
/// # Errors
/// When the authorities cannot be read.
pub fn client_config_renewed(ca_pem: &str, renewed: &Arc<Renewed>) -> Result<ClientConfig, PkiError> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(refused)?
        .with_root_certificates(roots(ca_pem)?);
    Ok(builder.with_client_cert_resolver(Arc::clone(renewed) as Arc<dyn ResolvesClientCert>))
}

pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

pub(crate) fn roots(ca_pem: &str) -> Result<RootCertStore, PkiError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca_pem.as_bytes()) {
        let certificate = certificate.map_err(|error| PkiError::malformed("authority certificate", error))?;
        roots.add(certificate).map_err(refused)?;
    }
    if roots.is_empty() {
        return Err(PkiError::malformed("authority certificate", "none"));
    }
    Ok(roots)
}

fn verifier(clients: ClientAuth<'_>) -> Result<Arc<dyn ClientCertVerifier>, PkiError> {
    let (ca_pem, optional) = match clients {
        ClientAuth::None => return Ok(Arc::new(NoClientAuth)),
        ClientAuth::Asked(ca_pem) => {
            let algorithms = provider().signature_verification_algorithms;
            return Ok(Arc::new(Asked { algorithms, authorities: roots(ca_pem)?.subjects() }));
        }
        ClientAuth::Optional(ca_pem) => (ca_pem, true),
        ClientAuth::Required(ca_pem) => (ca_pem, false),
    };
    let mut builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots(ca_pem)?), provider());
    if optional {
        builder = builder.allow_unauthenticated();
    }
    builder.build().map_err(|error| PkiError::Tls(error.to_string()))
}

pub(crate) fn chain_and_key(
    pair: &KeyPair,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), PkiError> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pair.cert_pem.as_bytes()).collect();
    let chain = chain.map_err(|error| PkiError::malformed("certificate", error))?;
    let key = PrivateKeyDer::from_pem_slice(pair.key_pem.as_bytes());
    Ok((chain, key.map_err(|error| PkiError::malformed("key", error))?))
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
pub(crate) fn refused(error: Error) -> PkiError {
    PkiError::Tls(error.to_string())
}

/// Takes any certificate, once its holder has shown that the key is theirs.
#[derive(Debug)]
struct Asked {
    algorithms: WebPkiSupportedAlgorithms,
    /// Tells clients with several certificates which one to bring.
    authorities: Vec<DistinguishedName>,
}

impl ClientCertVerifier for Asked {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.authorities
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
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
