use crate::der;

/// What a key may be used for: key usages and extended key usages in one, as Kubernetes has them.
/// <https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/certificate-signing-request-v1/>
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it, and the table below says the rest")]
pub enum Usage {
    DigitalSignature,
    ContentCommitment,
    KeyEncipherment,
    DataEncipherment,
    KeyAgreement,
    CertSign,
    CrlSign,
    EncipherOnly,
    DecipherOnly,
    Any,
    ServerAuth,
    ClientAuth,
    CodeSigning,
    EmailProtection,
    IpsecEndSystem,
    IpsecTunnel,
    IpsecUser,
    Timestamping,
    OcspSigning,
    MicrosoftSgc,
    NetscapeSgc,
}

/// How a usage is written in a certificate.
enum Place {
    /// Bit of the key usage extension, RFC 5280 section 4.2.1.3.
    Bit(u16),
    /// Purpose in the extended key usage extension.
    Purpose(&'static [u32]),
}

const PKIX: u32 = 3;

use Place::{Bit, Purpose};

/// Usage, its names in Kubernetes, its place.
const TABLE: &[(Usage, &[&str], Place)] = &[
    (Usage::DigitalSignature, &["digital signature", "signing"], Bit(0)),
    (Usage::ContentCommitment, &["content commitment"], Bit(1)),
    (Usage::KeyEncipherment, &["key encipherment"], Bit(2)),
    (Usage::DataEncipherment, &["data encipherment"], Bit(3)),
    (Usage::KeyAgreement, &["key agreement"], Bit(4)),
    (Usage::CertSign, &["cert sign"], Bit(5)),
    (Usage::CrlSign, &["crl sign"], Bit(6)),
    (Usage::EncipherOnly, &["encipher only"], Bit(7)),
    (Usage::DecipherOnly, &["decipher only"], Bit(8)),
    (Usage::Any, &["any"], Purpose(&[2, 5, 29, 37, 0])),
    (Usage::ServerAuth, &["server auth"], Purpose(&[1, 3, 6, 1, 5, 5, 7, PKIX, 1])),
    (Usage::ClientAuth, &["client auth"], Purpose(&[1, 3, 6, 1, 5, 5, 7, PKIX, 2])),
    (Usage::CodeSigning, &["code signing"], Purpose(&[1, 3, 6, 1, 5, 5, 7, PKIX, 3])),
    (Usage::EmailProtection, &["email protection", "s/mime"], Purpose(&[1, 3, 6, 1, 5, 5, 7, PKIX, 4])),
    (Usage::IpsecEndSystem, &["ipsec end system"], Purpose(&[1, 3, 6, 1, 5, 5, 7, PKIX, 5])),
    (Usage::IpsecTunnel, &["ipsec tunnel"], Purpose(&[1, 3, 6, 1, 5, 5, 7, PKIX, 6])),
    (Usage::IpsecUser, &["ipsec user"], Purpose(&[1, 3, 6, 1, 5, 5, 7, PKIX, 7])),
    (Usage::Timestamping, &["timestamping"], Purpose(&[1, 3, 6, 1, 5, 5, 7, PKIX, 8])),
    (Usage::OcspSigning, &["ocsp signing"], Purpose(&[1, 3, 6, 1, 5, 5, 7, PKIX, 9])),
    (Usage::MicrosoftSgc, &["microsoft sgc"], Purpose(&[1, 3, 6, 1, 4, 1, 311, 10, 3, 3])),
    (Usage::NetscapeSgc, &["netscape sgc"], Purpose(&[2, 16, 840, 1, 113_730, 4, 1])),
];

impl Usage {
    /// The usage that Kubernetes calls `name`.
    #[must_use]
    pub fn parse(name: &str) -> Option<Usage> {
        TABLE.iter().find(|(_, names, _)| names.contains(&name)).map(|(usage, ..)| *usage)
    }

    /// Its first name in Kubernetes.
    #[must_use]
    pub fn name(self) -> &'static str {
        TABLE.iter().find(|(usage, ..)| *usage == self).map_or("", |(_, names, _)| names[0])
    }

    /// The usages among the first sixteen bits of the key usage extension.
    pub(crate) fn of_bits(flags: u16) -> Vec<Usage> {
        TABLE.iter().filter(|(.., place)| matches!(place, Bit(bit) if flags >> bit & 1 == 1)).map(|row| row.0).collect()
    }
}

/// Key usage bits and encoded purposes of `usages`.
pub(crate) fn encode(usages: &[Usage]) -> (u16, Vec<Vec<u8>>) {
    let mut bits = 0;
    let mut purposes = Vec::new();
    for (.., place) in TABLE.iter().filter(|(usage, ..)| usages.contains(usage)) {
        match place {
            Bit(bit) => bits |= 1 << bit,
            Purpose(arcs) => purposes.push(der::oid(arcs)),
        }
    }
    (bits, purposes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back() {
        for (usage, names, _) in TABLE {
            assert_eq!(Usage::parse(usage.name()), Some(*usage));
            assert!(names.iter().all(|name| Usage::parse(name) == Some(*usage)));
        }
        assert_eq!(Usage::parse("Digital Signature"), None);
        assert_eq!(TABLE.len(), 21);
    }
}
