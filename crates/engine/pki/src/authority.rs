use std::{fmt, net::IpAddr, path::Path};

use aws_lc_rs::{
    encoding::{AsDer, PublicKeyX509Der},
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use jiff::{SignedDuration, Timestamp};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::{
    Csr, PkiError, Usage, files,
    template::{self, COMMON_NAME, ORGANIZATION, Template},
};

/// Clocks differ: what we issue was valid a little before.
const BACKDATE: SignedDuration = SignedDuration::from_mins(5);
const DAYS_A_YEAR: i64 = 365;

/// A subject alternative name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SanName {
    /// A host name, perhaps with `*.` in front.
    Dns(String),
    /// An address.
    Ip(IpAddr),
    /// A mail address.
    Email(String),
    /// A URI.
    Uri(String),
}

/// A certificate and its private key, each in PEM. The key is not shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyPair {
    /// The certificate; more of the chain may follow.
    pub cert_pem: String,
    /// PKCS#8.
    pub key_pem: String,
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyPair").field("cert_pem", &self.cert_pem).finish_non_exhaustive()
    }
}

/// A certificate authority: a self-signed certificate and its key, ECDSA P-256.
pub struct Authority {
    key: EcdsaKeyPair,
    pair: KeyPair,
    /// Its name and key identifier, as issued certificates carry them.
    subject: Vec<u8>,
    key_id: Vec<u8>,
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("pair", &self.pair).finish_non_exhaustive()
    }
}

impl Authority {
    /// A new authority, valid for `years`.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn create(common_name: &str, years: u16) -> Result<Authority, PkiError> {
        let fresh = FreshKey::new()?;
        let subject = template::name(&[(COMMON_NAME, common_name)]);
        let key_id = template::key_id(&fresh.public);
        let now = Timestamp::now();
        let certificate = sign(
            &fresh.key,
            &Template {
                issuer: &subject,
                subject: &subject,
                not_before: before(now),
                not_after: after(now, SignedDuration::from_hours(24 * DAYS_A_YEAR * i64::from(years))),
                public_key: &fresh.public,
                authority: true,
                usages: &[Usage::DigitalSignature, Usage::KeyEncipherment, Usage::CertSign, Usage::CrlSign],
                names: &[],
                issuer_key: &key_id,
            },
        )?;
        let pair = KeyPair { cert_pem: files::pem("CERTIFICATE", &certificate), key_pem: fresh.pem };
        Ok(Authority { key: fresh.key, pair, subject, key_id })
    }

    /// The authority that [`Authority::save`] left in `folder` (`ca.crt`, `ca.key`).
    ///
    /// # Errors
    /// When the files cannot be read, or do not belong together.
    pub fn load(folder: &Path) -> Result<Authority, PkiError> {
        Authority::from_pair(files::read_key_pair(folder, "ca")?)
    }

    /// The authority with this certificate and key.
    ///
    /// # Errors
    /// When one cannot be read, or they do not belong together.
    pub fn from_pair(pair: KeyPair) -> Result<Authority, PkiError> {
        let certificate = CertificateDer::from_pem_slice(pair.cert_pem.as_bytes())
            .map_err(|error| PkiError::malformed("authority certificate", error))?;
        let (_, parsed) = X509Certificate::from_der(&certificate)
            .map_err(|error| PkiError::malformed("authority certificate", error))?;
        let secret = PrivateKeyDer::from_pem_slice(pair.key_pem.as_bytes())
            .map_err(|error| PkiError::malformed("authority key", error))?;
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, secret.secret_der())
            .map_err(|error| PkiError::malformed("authority key", error))?;
        if public(&key)? != parsed.public_key().raw {
            return Err(PkiError::malformed("authority", "the key is not that of the certificate"));
        }
        if !parsed.is_ca() {
            return Err(PkiError::malformed("authority certificate", "it may not sign"));
        }
        let key_id = template::key_id(parsed.public_key().raw);
        Ok(Authority { key, subject: parsed.subject().as_raw().to_vec(), key_id, pair })
    }

    /// Writes `ca.crt` and `ca.key` into `folder`; the key for the owner alone.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn save(&self, folder: &Path) -> Result<(), PkiError> {
        files::write_key_pair(folder, "ca", &self.pair)
    }

    /// Its certificate.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pair.cert_pem
    }

    /// A serving certificate and its key; the first name is the common name too.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn issue_server(&self, names: &[SanName], lifetime: SignedDuration) -> Result<KeyPair, PkiError> {
        let common_name = match names.first() {
            // A common name has at most 64 characters (RFC 5280 appendix A.1); longer ones stand among the alternatives.
            Some(SanName::Dns(text) | SanName::Email(text) | SanName::Uri(text)) if text.len() <= 64 => text.clone(),
            Some(SanName::Ip(ip)) => ip.to_string(),
            _ => String::new(),
        };
        let subject = match &*common_name {
            "" => template::name(&[]),
            name => template::name(&[(COMMON_NAME, name)]),
        };
        let usages = [Usage::DigitalSignature, Usage::KeyEncipherment, Usage::ServerAuth];
        self.issue(&subject, &usages, names, lifetime)
    }

    /// A client certificate and its key. Kubernetes reads the common name as the user, the organizations as groups.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn issue_client(
        &self,
        common_name: &str,
        organizations: &[&str],
        lifetime: SignedDuration,
    ) -> Result<KeyPair, PkiError> {
        let mut attributes: Vec<(&[u32], &str)> = organizations.iter().map(|name| (ORGANIZATION, *name)).collect();
        attributes.push((COMMON_NAME, common_name));
        let usages = [Usage::DigitalSignature, Usage::KeyEncipherment, Usage::ClientAuth];
        self.issue(&template::name(&attributes), &usages, &[], lifetime)
    }

    fn issue(
        &self,
        subject: &[u8],
        usages: &[Usage],
        names: &[SanName],
        lifetime: SignedDuration,
    ) -> Result<KeyPair, PkiError> {
        let fresh = FreshKey::new()?;
        let now = Timestamp::now();
        let cert_pem = self.certify(subject, &fresh.public, usages, names, [before(now), after(now, lifetime)])?;
        Ok(KeyPair { cert_pem, key_pem: fresh.pem })
    }

    /// A certificate, in PEM, for what the request asks: its subject as it stands there, its key, its alternative names.
    /// Whether the caller may have it is for others to decide.
    ///
    /// # Errors
    /// When signing fails.
    pub fn sign_csr(
        &self,
        csr: &Csr,
        usages: &[Usage],
        not_before: Timestamp,
        not_after: Timestamp,
    ) -> Result<String, PkiError> {
        self.certify(csr.subject(), csr.public_key(), usages, &csr.names, [not_before, not_after])
    }

    fn certify(
        &self,
        subject: &[u8],
        public_key: &[u8],
        usages: &[Usage],
        names: &[SanName],
        [not_before, not_after]: [Timestamp; 2],
    ) -> Result<String, PkiError> {
        let issuer = &self.subject;
        let issuer_key = &self.key_id;
        let template = Template {
            issuer,
            subject,
            not_before,
            not_after,
            public_key,
            authority: false,
            usages,
            names,
            issuer_key,
        };
        Ok(files::pem("CERTIFICATE", &sign(&self.key, &template)?))
    }
}

struct FreshKey {
    key: EcdsaKeyPair,
    public: Vec<u8>,
    pem: String,
}

impl FreshKey {
    fn new() -> Result<FreshKey, PkiError> {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random)
            .map_err(|_| PkiError::Crypto("no key can be made"))?;
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref())
            .map_err(|_| PkiError::Crypto("a key that was just made cannot be read"))?;
        Ok(FreshKey { public: public(&key)?, key, pem: files::pem("PRIVATE KEY", pkcs8.as_ref()) })
    }
}

fn public(key: &EcdsaKeyPair) -> Result<Vec<u8>, PkiError> {
    let der: PublicKeyX509Der<'_> =
        key.public_key().as_der().map_err(|_| PkiError::Crypto("a public key cannot be encoded"))?;
    Ok(der.as_ref().to_vec())
}

fn sign(key: &EcdsaKeyPair, template: &Template<'_>) -> Result<Vec<u8>, PkiError> {
    let to_be_signed = template.to_be_signed();
    let signature = key.sign(&SystemRandom::new(), &to_be_signed).map_err(|_| PkiError::Crypto("signing failed"))?;
    Ok(template::signed(&to_be_signed, signature.as_ref()))
}

fn before(now: Timestamp) -> Timestamp {
    now.checked_sub(BACKDATE).unwrap_or(now)
}

/// As far as certificates reach, when that is further.
fn after(now: Timestamp, lifetime: SignedDuration) -> Timestamp {
    now.checked_add(lifetime).unwrap_or(Timestamp::MAX)
}
