//! Keys and certificate signing requests (RFC 2986), P-256.

use std::net::IpAddr;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use x509_cert::attr::{Attribute, Attributes};
use x509_cert::der::asn1::{BitString, Ia5String, OctetString};
use x509_cert::der::oid::ObjectIdentifier;
use x509_cert::der::{Decode, Encode};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::request::{CertReq, CertReqInfo, ExtensionReq, Version};
use x509_cert::spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};

const ECDSA_WITH_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");

/// Why no request could be made.
#[derive(Debug, thiserror::Error)]
pub enum CsrError {
    /// The key could not be made or used.
    #[error("make a key: {0}")]
    Key(#[from] aws_lc_rs::error::Unspecified),
    /// A name could not be encoded.
    #[error("encode the request: {0}")]
    Encode(#[from] x509_cert::der::Error),
}

/// A key and the request for its certificate, both PEM.
pub(crate) struct Made {
    pub(crate) key_pem: String,
    pub(crate) request_pem: String,
}

/// A request in the name of `system:node:NAME`, group `system:nodes`, with the given names (empty for a client).
pub(crate) fn for_node(node: &str, dns: &[String], addresses: &[IpAddr]) -> Result<Made, CsrError> {
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING)?;
    let key_pem = pem("PRIVATE KEY", key.to_pkcs8v1()?.as_ref());
    let mut attributes = Attributes::new();
    if !dns.is_empty() || !addresses.is_empty() {
        attributes.insert(alternative_names(dns, addresses)?)?;
    }
    let spki = aws_lc_rs::encoding::AsDer::<aws_lc_rs::encoding::PublicKeyX509Der<'_>>::as_der(key.public_key())?;
    let info = CertReqInfo {
        version: Version::V1,
        // Names of nodes and these constants need no escaping in RFC 4514's form.
        subject: format!("CN=system:node:{node},O=system:nodes").parse()?,
        public_key: SubjectPublicKeyInfoOwned::from_der(spki.as_ref())?,
        attributes,
    };
    let signature = key.sign(&SystemRandom::new(), &info.to_der()?)?;
    let request = CertReq {
        info,
        algorithm: AlgorithmIdentifierOwned { oid: ECDSA_WITH_SHA256, parameters: None },
        signature: BitString::from_bytes(signature.as_ref())?,
    };
    Ok(Made { key_pem, request_pem: pem("CERTIFICATE REQUEST", &request.to_der()?) })
}

fn alternative_names(dns: &[String], addresses: &[IpAddr]) -> Result<Attribute, CsrError> {
    let mut names = Vec::new();
    for name in dns {
        names.push(GeneralName::DnsName(Ia5String::new(name)?));
    }
    for address in addresses {
        let bytes = match address {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        };
        names.push(GeneralName::IpAddress(OctetString::new(bytes)?));
    }
    let names = SubjectAltName(names);
    let extension = Extension {
        extn_id: <SubjectAltName as x509_cert::der::oid::AssociatedOid>::OID,
        critical: false,
        extn_value: OctetString::new(names.to_der()?)?,
    };
    Ok(ExtensionReq(vec![extension]).try_into()?)
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}
