use base64::{Engine, prelude::BASE64_STANDARD as STANDARD};
use eksile_pki::{Authority, Csr, PkiError, SanName, Usage};
use jiff::{SignedDuration, Timestamp};

use crate::Judge;

const NODE: &str = "[req]
distinguished_name=dn
req_extensions=ext
prompt=no
[dn]
0.O=system:nodes
1.O=extra
2.O=extra
CN=system:node:ip-10-0-0-1.ec2.internal
[ext]
subjectAltName=DNS:ip-10-0-0-1.ec2.internal,IP:10.0.0.1,IP:fd00::1,email:a@b.c,URI:spiffe://x/y
keyUsage=digitalSignature,keyEncipherment
subjectKeyIdentifier=hash
";

fn request(judge: &Judge, key: &str) -> String {
    judge.write("node.cnf", NODE);
    judge.hear(&format!("{key} -out n.key"));
    judge.hear("req -new -key n.key -config node.cnf -out n.csr");
    judge.read("n.csr")
}

#[test]
fn rsa_and_elliptic_requests() {
    let authority = Authority::create("cluster", 1).unwrap();
    for key in [
        "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048",
        "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:4096",
        "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256",
        "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384",
        "genpkey -algorithm ED25519",
    ] {
        let judge = Judge::new();
        let csr = Csr::parse(&request(&judge, key)).unwrap();
        assert_eq!(csr.common_name, "system:node:ip-10-0-0-1.ec2.internal");
        assert_eq!(csr.organizations, ["system:nodes", "extra", "extra"]);
        assert_eq!(csr.dns_names().collect::<Vec<_>>(), ["ip-10-0-0-1.ec2.internal"]);
        assert_eq!(csr.ips().map(|ip| ip.to_string()).collect::<Vec<_>>(), ["10.0.0.1", "fd00::1"]);
        assert_eq!(csr.names[3..], [SanName::Email("a@b.c".into()), SanName::Uri("spiffe://x/y".into())]);
        assert_eq!(csr.key_usages, [Usage::DigitalSignature, Usage::KeyEncipherment]);
        issue(&judge, &authority, &csr);
    }
}

fn issue(judge: &Judge, authority: &Authority, csr: &Csr) {
    let now = Timestamp::now();
    let usages = [Usage::DigitalSignature, Usage::ServerAuth];
    let pem = authority.sign_csr(csr, &usages, now, now + SignedDuration::from_hours(1)).unwrap();
    judge.write("ca.crt", authority.pem());
    judge.write("n.crt", &pem);
    judge.hear("verify -x509_strict -purpose sslserver -verify_ip 10.0.0.1 -CAfile ca.crt n.crt");
    assert!(!judge.ask("verify -purpose sslclient -CAfile ca.crt n.crt").0);
    assert_eq!(judge.hear("x509 -in n.crt -noout -pubkey"), judge.hear("req -in n.csr -noout -pubkey"));
    let subject = |of: &str| judge.hear(&format!("{of} -noout -subject -nameopt RFC2253"));
    assert_eq!(subject("x509 -in n.crt"), subject("req -in n.csr"));
    let text = judge.hear("x509 -in n.crt -noout -ext subjectAltName,keyUsage,extendedKeyUsage,basicConstraints");
    for expected in ["spiffe://x/y", "a@b.c", "CA:FALSE", "Digital Signature\n", "TLS Web Server Authentication\n"] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
}

/// Every byte that is signed, or signs, matters; and no change elsewhere makes another request.
#[test]
fn a_tampered_request_is_refused() {
    let judge = Judge::new();
    request(&judge, "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256");
    judge.hear("req -in n.csr -outform DER -out n.der");
    let der = std::fs::read(judge.path("n.der")).unwrap();
    let good = Csr::parse_der(&der).unwrap();
    // The signature's algorithm stands between, unsigned: SEQUENCE of 10 bytes, ecdsa-with-SHA256.
    let algorithm = der.windows(4).rposition(|part| part == [0x30, 10, 6, 8]).unwrap();
    for at in 0..der.len() {
        let mut bad = der.clone();
        bad[at] ^= 1;
        match Csr::parse_der(&bad) {
            Ok(same) => assert!((algorithm..algorithm + 12).contains(&at) && same == good, "byte {at}"),
            Err(_) => continue,
        }
    }
    // A subject changed and nothing else: it is well formed, but unproven.
    let at = der.windows(12).position(|part| part == b"system:nodes").unwrap();
    let mut bad = der.clone();
    bad[at..at + 12].copy_from_slice(b"system:noses");
    assert!(matches!(Csr::parse_der(&bad), Err(PkiError::Unproven)));
    let mut long = der;
    long.push(0);
    assert!(Csr::parse_der(&long).is_err());
}

#[test]
fn not_a_request() {
    let certificate = Authority::create("cluster", 1).unwrap();
    for text in ["", "garbage", certificate.pem()] {
        assert!(matches!(Csr::parse(text), Err(PkiError::NoRequest)), "{text}");
    }
    let empty = "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n";
    assert!(matches!(Csr::parse(empty), Err(PkiError::Malformed { .. })));
}

/// Whoever reads the first of two and whoever reads the other would judge one thing and sign another.
#[test]
fn a_request_is_alone() {
    let judge = Judge::new();
    let certificate = Authority::create("cluster", 1).unwrap();
    let one = request(&judge, "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256");
    assert!(Csr::parse(&one).is_ok() && Csr::of_object(&STANDARD.encode(&one)).is_ok());
    for text in [format!("{}{one}", certificate.pem()), format!("{one}{}", certificate.pem()), format!("{one}{one}")] {
        assert!(matches!(Csr::parse(&text), Err(PkiError::NoRequest)), "{text}");
        assert!(matches!(Csr::of_object(&STANDARD.encode(&text)), Err(PkiError::NoRequest)), "{text}");
    }
    assert!(matches!(Csr::of_object(&one), Err(PkiError::NoRequest)), "it is base64");
}
