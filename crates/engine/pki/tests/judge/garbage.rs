//! Whatever comes in, nothing panics.

use std::sync::LazyLock;

use eksile_pki::{Csr, Identity, TokenSigner, TokenVerifier};
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::Value;

use crate::Judge;

static REQUEST: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let judge = Judge::new();
    judge.hear("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out n.key");
    judge.hear("req -new -key n.key -subj /O=a/CN=b -addext subjectAltName=IP:10.0.0.1,DNS:x -outform DER -out n.der");
    std::fs::read(judge.path("n.der")).unwrap()
});

static TOKENS: LazyLock<TokenVerifier> = LazyLock::new(|| TokenSigner::create().unwrap().verifier());

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(Csr::parse_der(&bytes).is_err());
        prop_assert!(Identity::read(&bytes).is_err());
        let text = String::from_utf8_lossy(&bytes);
        prop_assert!(Csr::parse(&text).is_err());
        prop_assert!(TOKENS.verify::<Value>(&text, "", &[""], Timestamp::UNIX_EPOCH).is_err());
    }

    #[test]
    fn requests_cut_and_changed(cut in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), byte: u8) {
        let mut der = REQUEST.clone();
        *at.get_mut(&mut der) = byte;
        // What still verifies is still the same request.
        if let Ok(csr) = Csr::parse_der(&der) {
            prop_assert_eq!(csr, Csr::parse_der(&REQUEST).unwrap());
        }
        der.truncate(cut.index(der.len()));
        prop_assert!(Csr::parse_der(&der).is_err());
    }
}
