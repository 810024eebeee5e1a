use std::net::IpAddr;

use base64::{Engine, prelude::BASE64_STANDARD as STANDARD};
use x509_parser::{
    certification_request::X509CertificationRequest,
    extensions::{GeneralName, ParsedExtension},
    pem::parse_x509_pem,
    prelude::FromDer,
};

use crate::{PkiError, SanName, Usage, identity};

/// A certificate signing request (PKCS#10, RFC 2986) whose key's possession was proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Csr {
    /// The last common name, empty when there is none.
    pub common_name: String,
    /// Every organization, in order, repeated ones too.
    pub organizations: Vec<String>,
    /// Subject alternative names.
    pub names: Vec<SanName>,
    /// Usages asked for by the key usage extension. Extended ones are not asked for in requests, but of the signer.
    pub key_usages: Vec<Usage>,
    subject: Vec<u8>,
    public_key: Vec<u8>,
}

impl Csr {
    /// Reads `spec.request` of a CertificateSigningRequest: base64 of PEM. Who admits, approves and signs all read it by
    /// this, so that nothing is signed that was not judged.
    ///
    /// # Errors
    /// As [`Csr::parse`].
    pub fn of_object(request: &str) -> Result<Csr, PkiError> {
        let pem = STANDARD.decode(request).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        Csr::parse(&pem.ok_or(PkiError::NoRequest)?)
    }

    /// Reads the one request of a PEM file and verifies its signature.
    ///
    /// # Errors
    /// When there is no request or anything beside it, or it cannot be read, or its signature is not by its key.
    pub fn parse(pem: &str) -> Result<Csr, PkiError> {
        let (rest, block) = parse_x509_pem(pem.as_bytes()).map_err(|_| PkiError::NoRequest)?;
        if block.label != "CERTIFICATE REQUEST" || parse_x509_pem(rest).is_ok() {
            return Err(PkiError::NoRequest);
        }
        Csr::parse_der(&block.contents)
    }

    /// [`Csr::parse`] for DER.
    ///
    /// # Errors
    /// As there.
    pub fn parse_der(der: &[u8]) -> Result<Csr, PkiError> {
        let malformed = |reason: String| PkiError::malformed("certificate request", reason);
        let (rest, request) = X509CertificationRequest::from_der(der).map_err(|error| malformed(error.to_string()))?;
        if !rest.is_empty() {
            return Err(malformed("bytes after its end".to_owned()));
        }
        if request.signature_value.unused_bits != 0 {
            return Err(malformed("a signature is whole bytes".to_owned()));
        }
        request.verify_signature().map_err(|_| PkiError::Unproven)?;
        let info = &request.certification_request_info;
        let (common_name, organizations) = identity::subject(&info.subject).map_err(malformed)?;
        let mut csr = Csr {
            common_name,
            organizations,
            names: Vec::new(),
            key_usages: Vec::new(),
            subject: info.subject.as_raw().to_vec(),
            public_key: info.subject_pki.raw.to_vec(),
        };
        for extension in request.requested_extensions().into_iter().flatten() {
            csr.extension(extension)?;
        }
        Ok(csr)
    }

    fn extension(&mut self, extension: &ParsedExtension<'_>) -> Result<(), PkiError> {
        match extension {
            ParsedExtension::SubjectAlternativeName(names) => {
                for name in &names.general_names {
                    self.names.push(alternative(name)?);
                }
            }
            ParsedExtension::KeyUsage(usage) => self.key_usages = Usage::of_bits(usage.flags),
            ParsedExtension::ParseError { error } => {
                return Err(PkiError::malformed("certificate request", format!("extension: {error:?}")));
            }
            _ => {}
        }
        Ok(())
    }

    /// The subject, as it is encoded in the request.
    pub(crate) fn subject(&self) -> &[u8] {
        &self.subject
    }

    /// The public key, as it is encoded in the request.
    pub(crate) fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    /// The host names asked for.
    pub fn dns_names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().filter_map(|name| if let SanName::Dns(text) = name { Some(&**text) } else { None })
    }

    /// The addresses asked for.
    pub fn ips(&self) -> impl Iterator<Item = IpAddr> {
        self.names.iter().filter_map(|name| if let SanName::Ip(ip) = name { Some(*ip) } else { None })
    }
}

/// Forms that cannot be carried over faithfully are refused rather than dropped.
fn alternative(name: &GeneralName<'_>) -> Result<SanName, PkiError> {
    let refused = |reason: &str| PkiError::malformed("certificate request", format!("alternative name: {reason}"));
    match name {
        GeneralName::DNSName(text) => Ok(SanName::Dns((*text).to_owned())),
        GeneralName::RFC822Name(text) => Ok(SanName::Email((*text).to_owned())),
        GeneralName::URI(text) => Ok(SanName::Uri((*text).to_owned())),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            let v6 = <[u8; 16]>::try_from(*bytes).map(IpAddr::from);
            v4.or(v6).map(SanName::Ip).map_err(|_| refused("an address has 4 or 16 bytes"))
        }
        _ => Err(refused("neither a host, address, mail address nor URI")),
    }
}
