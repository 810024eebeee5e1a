use std::os::unix::fs::PermissionsExt;

use eksile_pki::{Authority, PkiError, SanName, read_key_pair, write_key_pair};
use jiff::SignedDuration;

use crate::Judge;

fn day() -> SignedDuration {
    SignedDuration::from_hours(24)
}

#[test]
fn groups_stay_in_order_and_number() {
    let judge = Judge::new();
    let authority = Authority::create("cluster", 10).unwrap();
    judge.write("ca.crt", authority.pem());
    let pair = authority.issue_client("admin", &["system:masters", "dev", "dev"], day()).unwrap();
    judge.write("c.crt", &pair.cert_pem);
    judge.write("c.key", &pair.key_pem);
    assert_eq!(judge.hear("verify -x509_strict -purpose sslclient -CAfile ca.crt c.crt"), "c.crt: OK\n");
    let subject = judge.hear("x509 -in c.crt -noout -subject -nameopt RFC2253,-dn_rev");
    assert_eq!(subject, "subject=O=system:masters,O=dev,O=dev,CN=admin\n");
    assert!(!judge.ask("verify -purpose sslserver -CAfile ca.crt c.crt").0);
    assert_eq!(judge.hear("x509 -in c.crt -noout -pubkey"), judge.hear("pkey -in c.key -pubout"));
    assert!(!format!("{pair:?}").contains("PRIVATE"));
}

#[test]
fn serving_names_are_hosts_and_addresses() {
    let judge = Judge::new();
    let authority = Authority::create("cluster", 10).unwrap();
    judge.write("ca.crt", authority.pem());
    let names = [
        SanName::Dns("kubernetes.default.svc".into()),
        SanName::Dns("*.example.com".into()),
        SanName::Ip("10.100.0.1".parse().unwrap()),
        SanName::Ip("fd00::1".parse().unwrap()),
    ];
    judge.write("s.crt", &authority.issue_server(&names, day()).unwrap().cert_pem);
    let verify =
        |check: &str| judge.ask(&format!("verify -x509_strict -purpose sslserver {check} -CAfile ca.crt s.crt")).0;
    assert!(verify("-verify_hostname kubernetes.default.svc"));
    assert!(verify("-verify_hostname a.example.com"));
    assert!(verify("-verify_ip 10.100.0.1"));
    assert!(verify("-verify_ip fd00::1"));
    assert!(!verify("-verify_hostname other.svc"));
    assert!(!verify("-verify_ip 10.100.0.2"));
    let long = "a".repeat(60) + ".example.com";
    judge.write("s.crt", &authority.issue_server(&[SanName::Dns(long.clone())], day()).unwrap().cert_pem);
    assert!(verify(&format!("-verify_hostname {long}")));
}

#[test]
fn another_authority_is_another() {
    let judge = Judge::new();
    judge.write("ca.crt", Authority::create("cluster", 10).unwrap().pem());
    // Of the same name.
    let other = Authority::create("cluster", 10).unwrap();
    judge.write("c.crt", &other.issue_client("admin", &[], day()).unwrap().cert_pem);
    assert!(!judge.ask("verify -CAfile ca.crt c.crt").0);
}

#[test]
fn an_authority_is_kept() {
    let judge = Judge::new();
    let folder = judge.path("pki/deep");
    let authority = Authority::create("cluster", 10).unwrap();
    authority.save(&folder).unwrap();
    authority.save(&folder).unwrap();
    let mode = |name: &str| folder.join(name).metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("ca.key"), mode("ca.crt")), (0o600, 0o644));
    let again = Authority::load(&folder).unwrap();
    assert_eq!(again.pem(), authority.pem());
    judge.write("ca.crt", authority.pem());
    judge.write("c.crt", &again.issue_client("admin", &[], day()).unwrap().cert_pem);
    judge.hear("verify -x509_strict -CAfile ca.crt c.crt");
    judge.hear("verify -x509_strict -CAfile ca.crt ca.crt");
    // The key of another.
    let mut pair = read_key_pair(&folder, "ca").unwrap();
    let other = judge.path("other");
    Authority::create("cluster", 1).unwrap().save(&other).unwrap();
    pair.key_pem = read_key_pair(&other, "ca").unwrap().key_pem;
    write_key_pair(&folder, "ca", &pair).unwrap();
    assert!(matches!(Authority::load(&folder), Err(PkiError::Malformed { what: "authority", .. })));
    // A certificate that may not sign.
    let pair = authority.issue_client("admin", &[], day()).unwrap();
    assert!(Authority::from_pair(pair).is_err());
}

#[test]
fn lifetimes() {
    let judge = Judge::new();
    let authority = Authority::create("cluster", 200).unwrap();
    judge.write("ca.crt", authority.pem());
    judge.write("c.crt", &authority.issue_client("admin", &[], SignedDuration::from_mins(10)).unwrap().cert_pem);
    assert!(judge.ask("x509 -in c.crt -noout -checkend 590").0);
    assert!(!judge.ask("x509 -in c.crt -noout -checkend 610").0);
    judge.hear("verify -x509_strict -CAfile ca.crt ca.crt");
    judge.write("c.crt", &authority.issue_client("admin", &[], SignedDuration::from_mins(-1)).unwrap().cert_pem);
    assert!(judge.ask("verify -CAfile ca.crt c.crt").1.contains("expired"));
}
