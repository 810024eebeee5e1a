//! Service account tokens: JSON Web Tokens (RFC 7519) signed with RS256, as kube-apiserver makes them.

use std::{fmt, path::Path};

use aws_lc_rs::{
    digest,
    encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der},
    rand::SystemRandom,
    rsa::{KeyPair, KeySize},
    signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, UnparsedPublicKey},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use eksile_base::files::{PRIVATE, PUBLIC};
use jiff::Timestamp;
use rustls::pki_types::{PrivateKeyDer, pem::PemObject};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use x509_parser::{prelude::FromDer, public_key::RSAPublicKey};

use crate::{PkiError, TokenError, files};

/// Signs tokens with an RSA key of 2048 bits.
pub struct TokenSigner {
    key: KeyPair,
    key_pem: String,
    public_der: Vec<u8>,
    key_id: String,
}

impl fmt::Debug for TokenSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSigner").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

#[derive(Serialize, Deserialize)]
struct Header<'a> {
    alg: &'a str,
    kid: &'a str,
}

/// The registered claims that a verifier judges. Times are in seconds since the epoch.
#[derive(Deserialize)]
struct Registered {
    #[serde(default)]
    iss: String,
    #[serde(default)]
    aud: Audience,
    exp: Option<i64>,
    nbf: Option<i64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Default for Audience {
    fn default() -> Audience {
        Audience::Many(Vec::new())
    }
}

impl Audience {
    fn names(&self) -> &[String] {
        match self {
            Audience::One(name) => std::slice::from_ref(name),
            Audience::Many(names) => names,
        }
    }
}

impl TokenSigner {
    /// A signer with a new key.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn create() -> Result<TokenSigner, PkiError> {
        let key = KeyPair::generate(KeySize::Rsa2048).map_err(|_| PkiError::Crypto("no key can be made"))?;
        let der: Pkcs8V1Der<'_> = key.as_der().map_err(|_| PkiError::Crypto("a key cannot be encoded"))?;
        let pem = files::pem("PRIVATE KEY", der.as_ref());
        TokenSigner::new(key, pem)
    }

    /// The signer that [`TokenSigner::save`] left in `folder` (`sa.key`).
    ///
    /// # Errors
    /// When the file cannot be read, or holds no RSA key.
    pub fn load(folder: &Path) -> Result<TokenSigner, PkiError> {
        let pem = files::read(folder, "sa.key")?;
        let der =
            PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|error| PkiError::malformed("signing key", error))?;
        let key = match &der {
            PrivateKeyDer::Pkcs1(der) => KeyPair::from_der(der.secret_pkcs1_der()),
            der => KeyPair::from_pkcs8(der.secret_der()),
        };
        TokenSigner::new(key.map_err(|error| PkiError::malformed("signing key", error))?, pem)
    }

    /// Writes the key to `sa.key` in `folder`, for the owner alone, and the public key to `sa.pub`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&self, folder: &Path) -> Result<(), PkiError> {
        files::write(folder, "sa.key", &self.key_pem, PRIVATE)?;
        files::write(folder, "sa.pub", &self.public_pem(), PUBLIC)
    }

    fn new(key: KeyPair, key_pem: String) -> Result<TokenSigner, PkiError> {
        let public: PublicKeyX509Der<'_> =
            key.public_key().as_der().map_err(|_| PkiError::Crypto("a public key cannot be encoded"))?;
        let public_der = public.as_ref().to_vec();
        let key_id = BASE64_URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, &public_der));
        Ok(TokenSigner { key, key_pem, public_der, key_id })
    }

    /// The key's name in tokens: SHA-256 of its public half (SubjectPublicKeyInfo, DER), base64url, as kube-apiserver
    /// derives it.
    #[must_use]
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// The public key in PEM.
    #[must_use]
    pub fn public_pem(&self) -> String {
        files::pem("PUBLIC KEY", &self.public_der)
    }

    /// The public key as a JSON Web Key Set (RFC 7517), for `/openid/v1/jwks`.
    ///
    /// # Errors
    /// When the key cannot be taken apart.
    pub fn jwks(&self) -> Result<serde_json::Value, PkiError> {
        let (_, key) = RSAPublicKey::from_der(self.key.public_key().as_ref())
            .map_err(|error| PkiError::malformed("signing key", error))?;
        let number = |bytes: &[u8]| {
            let skip = bytes.iter().take_while(|byte| **byte == 0).count();
            BASE64_URL_SAFE_NO_PAD.encode(&bytes[skip..])
        };
        Ok(serde_json::json!({"keys": [{
            "use": "sig", "kty": "RSA", "kid": self.key_id, "alg": "RS256",
            "n": number(key.modulus), "e": number(key.exponent),
        }]}))
    }

    /// A token that says `claims`.
    ///
    /// # Errors
    /// When the claims have no JSON form, or signing fails.
    pub fn sign(&self, claims: &impl Serialize) -> Result<String, PkiError> {
        let json = |error| PkiError::malformed("claims", error);
        let header = serde_json::to_vec(&Header { alg: "RS256", kid: &self.key_id }).map_err(json)?;
        let claims = serde_json::to_vec(claims).map_err(json)?;
        let mut token = format!("{}.{}", BASE64_URL_SAFE_NO_PAD.encode(header), BASE64_URL_SAFE_NO_PAD.encode(claims));
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), token.as_bytes(), &mut signature)
            .map_err(|_| PkiError::Crypto("signing failed"))?;
        token.push('.');
        token.push_str(&BASE64_URL_SAFE_NO_PAD.encode(signature));
        Ok(token)
    }

    /// Who believes this signer's tokens.
    #[must_use]
    pub fn verifier(&self) -> TokenVerifier {
        TokenVerifier { keys: vec![(self.key_id.clone(), self.key.public_key().as_ref().to_vec())] }
    }
}

/// Believes tokens of certain keys.
#[derive(Debug, Clone)]
pub struct TokenVerifier {
    /// By key id; PKCS#1.
    keys: Vec<(String, Vec<u8>)>,
}

impl TokenVerifier {
    /// Believes another signer too: before and after keys are changed, for a while both.
    pub fn add(&mut self, signer: &TokenSigner) {
        self.keys.extend(signer.verifier().keys);
    }

    /// The claims of a token that one of our keys signed, that `issuer` issued for one of `audiences`, at wall time `now`.
    ///
    /// # Errors
    /// When any of that is not so. Nothing of a refused token is returned.
    pub fn verify<C: DeserializeOwned>(
        &self,
        token: &str,
        issuer: &str,
        audiences: &[&str],
        now: Timestamp,
    ) -> Result<C, TokenError> {
        self.judge(token, issuer, Some(audiences), now)
    }

    /// The same whatever the audience, for who reviews tokens for others. Whoever lets the bearer in must still see that
    /// it is among the audiences.
    ///
    /// # Errors
    /// When any of that is not so. Nothing of a refused token is returned.
    pub fn verify_for_anyone<C: DeserializeOwned>(
        &self,
        token: &str,
        issuer: &str,
        now: Timestamp,
    ) -> Result<C, TokenError> {
        self.judge(token, issuer, None, now)
    }

    fn judge<C: DeserializeOwned>(
        &self,
        token: &str,
        issuer: &str,
        audiences: Option<&[&str]>,
        now: Timestamp,
    ) -> Result<C, TokenError> {
        let claims = self.authentic(token)?;
        let registered: Registered = serde_json::from_slice(&claims).map_err(|_| TokenError::Malformed)?;
        if registered.iss != issuer {
            return Err(TokenError::Issuer);
        }
        if audiences.is_some_and(|known| !registered.aud.names().iter().any(|name| known.contains(&&**name))) {
            return Err(TokenError::Audience);
        }
        let now = now.as_second();
        if registered.exp.ok_or(TokenError::Malformed)? <= now {
            return Err(TokenError::Expired);
        }
        if registered.nbf.is_some_and(|from| from > now) {
            return Err(TokenError::NotYetValid);
        }
        serde_json::from_slice(&claims).map_err(|_| TokenError::Malformed)
    }

    /// The claims, once the signature was verified.
    fn authentic(&self, token: &str) -> Result<Vec<u8>, TokenError> {
        let decode = |part: &str| BASE64_URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Malformed);
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(TokenError::Malformed)?;
        let header_json = decode(header)?;
        let header: Header<'_> = serde_json::from_slice(&header_json).map_err(|_| TokenError::Malformed)?;
        // The algorithm is ours to choose, not the token's: nothing else is ever tried.
        if header.alg != "RS256" {
            return Err(TokenError::Malformed);
        }
        let (_, key) = self.keys.iter().find(|(id, _)| id == header.kid).ok_or(TokenError::UnknownKey)?;
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key)
            .verify(signed.as_bytes(), &decode(signature)?)
            .map_err(|_| TokenError::Signature)?;
        decode(claims)
    }
}
