use std::os::unix::fs::PermissionsExt;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use eksile_pki::{TokenError, TokenSigner};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::Judge;

const ISSUER: &str = "https://kubernetes.default.svc";

fn claims() -> Value {
    json!({
        "iss": ISSUER, "aud": [ISSUER, "other"], "sub": "system:serviceaccount:default:default",
        "exp": 2_000, "nbf": 1_000, "iat": 1_000,
        "kubernetes.io": {"namespace": "default", "serviceaccount": {"name": "default", "uid": "u"}},
    })
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

#[test]
fn openssl_verifies_the_signature() {
    let judge = Judge::new();
    let signer = TokenSigner::create().unwrap();
    let token = signer.sign(&claims()).unwrap();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    judge.write("signed", signed);
    std::fs::write(judge.path("signature"), BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap()).unwrap();
    judge.write("sa.pub", &signer.public_pem());
    assert_eq!(judge.hear("dgst -sha256 -verify sa.pub -signature signature signed"), "Verified OK\n");
    // The key id, as openssl would make it.
    judge.hear("pkey -pubin -in sa.pub -outform DER -out sa.der");
    let digest = judge.hear("dgst -sha256 -r sa.der");
    let bytes: Vec<u8> = (0..64).step_by(2).map(|i| u8::from_str_radix(&digest[i..i + 2], 16).unwrap()).collect();
    assert_eq!(signer.key_id(), BASE64_URL_SAFE_NO_PAD.encode(bytes));
    let key = &signer.jwks().unwrap()["keys"][0];
    assert_eq!((&key["kid"], &key["e"]), (&json!(signer.key_id()), &json!("AQAB")));
    let n = BASE64_URL_SAFE_NO_PAD.decode(key["n"].as_str().unwrap()).unwrap();
    let modulus = judge.hear("rsa -pubin -in sa.pub -noout -modulus");
    let hex: String = n.iter().map(|byte| format!("{byte:02X}")).collect();
    assert_eq!(modulus.trim(), format!("Modulus={hex}"));
}

#[test]
fn only_the_right_token_at_the_right_time() {
    let signer = TokenSigner::create().unwrap();
    let other = TokenSigner::create().unwrap();
    let mut verifier = signer.verifier();
    let token = signer.sign(&claims()).unwrap();
    let verify = |token: &str, issuer: &str, audience: &str, now: i64| {
        signer.verifier().verify::<Value>(token, issuer, &["none", audience], at(now))
    };
    assert_eq!(verify(&token, ISSUER, "other", 1_500).unwrap(), claims());
    assert_eq!(verify(&token, ISSUER, ISSUER, 1_000).unwrap()["sub"], claims()["sub"]);
    assert_eq!(verify(&token, ISSUER, ISSUER, 999), Err(TokenError::NotYetValid));
    assert_eq!(verify(&token, ISSUER, ISSUER, 2_000), Err(TokenError::Expired));
    assert_eq!(verify(&token, "https://else", ISSUER, 1_500), Err(TokenError::Issuer));
    assert_eq!(verify(&token, ISSUER, "third", 1_500), Err(TokenError::Audience));
    let for_anyone = |issuer: &str, now| signer.verifier().verify_for_anyone::<Value>(&token, issuer, at(now));
    assert!(for_anyone(ISSUER, 1_500).is_ok());
    assert!(for_anyone("another", 1_500).is_err(), "the issuer still counts");
    let foreign = other.sign(&claims()).unwrap();
    assert_eq!(verify(&foreign, ISSUER, ISSUER, 1_500), Err(TokenError::UnknownKey));
    verifier.add(&other);
    assert!(verifier.verify::<Value>(&foreign, ISSUER, &[ISSUER], at(1_500)).is_ok());
    assert!(verifier.verify::<Value>(&token, ISSUER, &[ISSUER], at(1_500)).is_ok());
    let mut forever = claims();
    forever.as_object_mut().unwrap().remove("exp");
    let token = signer.sign(&forever).unwrap();
    assert_eq!(verify(&token, ISSUER, ISSUER, 1_500), Err(TokenError::Malformed));
    let mut one = claims();
    one["aud"] = json!("other");
    assert!(verify(&signer.sign(&one).unwrap(), ISSUER, "other", 1_500).is_ok());
}

#[test]
fn a_changed_token_is_refused() {
    let signer = TokenSigner::create().unwrap();
    let token = signer.sign(&claims()).unwrap();
    let verify = |token: &str| signer.verifier().verify::<Value>(token, ISSUER, &[ISSUER], at(1_500));
    let parts: Vec<&str> = token.split('.').collect();
    let mut admin = claims();
    admin["sub"] = json!("system:serviceaccount:kube-system:admin");
    let admin = BASE64_URL_SAFE_NO_PAD.encode(admin.to_string());
    assert_eq!(verify(&format!("{}.{admin}.{}", parts[0], parts[2])), Err(TokenError::Signature));
    for algorithm in ["none", "HS256", "rs256"] {
        let header = BASE64_URL_SAFE_NO_PAD.encode(json!({"alg": algorithm, "kid": signer.key_id()}).to_string());
        assert_eq!(verify(&format!("{header}.{}.{}", parts[1], parts[2])), Err(TokenError::Malformed));
        assert_eq!(verify(&format!("{header}.{}.", parts[1])), Err(TokenError::Malformed));
    }
    assert_eq!(verify(&format!("{}.{}.", parts[0], parts[1])), Err(TokenError::Signature));
    for text in ["", ".", "..", "a.b.c", &token[1..], &format!("{token}.x"), &format!("{token}=")] {
        assert!(verify(text).is_err(), "{text}");
    }
}

#[test]
fn a_signer_is_kept() {
    let judge = Judge::new();
    let signer = TokenSigner::create().unwrap();
    signer.save(&judge.path("pki")).unwrap();
    let again = TokenSigner::load(&judge.path("pki")).unwrap();
    assert_eq!(again.key_id(), signer.key_id());
    let token = again.sign(&claims()).unwrap();
    assert!(signer.verifier().verify::<Value>(&token, ISSUER, &[ISSUER], at(1_500)).is_ok());
    assert_eq!(judge.path("pki/sa.key").metadata().unwrap().permissions().mode() & 0o777, 0o600);
    // As kubeadm and openssl write it: PKCS#1.
    judge.hear("rsa -in pki/sa.key -traditional -out pki/sa.key");
    assert!(judge.read("pki/sa.key").contains("RSA PRIVATE KEY"));
    assert_eq!(TokenSigner::load(&judge.path("pki")).unwrap().key_id(), signer.key_id());
}
