//! Keys and certificates of one cluster, made at the first start, kept in `DATA/pki` for the owner alone.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use eksile_kube::tokens::{Claims, TokenIssuer};
use eksile_pki::{Authority, PkiError, Renewed, SanName, TokenSigner};
use jiff::SignedDuration;
use serde_json::Value;

use crate::config::Config;

/// Years of the cluster's CA.
const CA_YEARS: u16 = 10;
/// Life of certificates that are made anew at every start, and while it runs.
const LIFE: SignedDuration = SignedDuration::from_hours(365 * 24);

/// The issuer of service-account tokens.
pub(crate) const ISSUER: &str = "https://kubernetes.default.svc";

/// Keys and certificates.
pub(crate) struct Material {
    pub(crate) authority: Arc<Authority>,
    pub(crate) front: Arc<Renewed>,
    pub(crate) kubelet_client: Arc<Renewed>,
    pub(crate) signer: Arc<Signer>,
}

impl Material {
    pub(crate) fn load_or_create(config: &Config, service: IpAddr) -> Result<Self, PkiError> {
        let folder = config.data.join("pki");
        let authority = Arc::new(load_authority(&folder)?);
        let names = serving_names(config, service);
        let issuer = Arc::clone(&authority);
        let front = Renewed::new(move || issuer.issue_server(&names, LIFE))?;
        let issuer = Arc::clone(&authority);
        let kubelet_client =
            Renewed::new(move || issuer.issue_client("kube-apiserver-kubelet-client", &["system:masters"], LIFE))?;
        let signer = Arc::new(Signer::new(load_signer(&folder)?));
        Ok(Self { authority, front, kubelet_client, signer })
    }
}

fn load_authority(folder: &Path) -> Result<Authority, PkiError> {
    if folder.join("ca.key").exists() {
        return Authority::load(folder);
    }
    let authority = Authority::create("kubernetes", CA_YEARS)?;
    authority.save(folder)?;
    Ok(authority)
}

fn load_signer(folder: &Path) -> Result<TokenSigner, PkiError> {
    if folder.join("sa.key").exists() {
        return TokenSigner::load(folder);
    }
    let signer = TokenSigner::create()?;
    signer.save(folder)?;
    Ok(signer)
}

fn serving_names(config: &Config, service: IpAddr) -> Vec<SanName> {
    let mut names = vec![SanName::Dns("kube-apiserver".to_owned())];
    for name in ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"] {
        names.push(SanName::Dns(name.to_owned()));
    }
    names.push(SanName::Ip(service));
    names.extend(config.listeners.iter().map(|l| SanName::Ip(l.address.ip())));
    for name in &config.serving_names {
        names.push(name.parse().map_or_else(|_| SanName::Dns(name.clone()), SanName::Ip));
    }
    let mut unique = Vec::new();
    for name in names {
        if !unique.contains(&name) {
            unique.push(name);
        }
    }
    unique
}

/// Signs service-account tokens and tells its own.
pub(crate) struct Signer {
    signer: TokenSigner,
    verifier: eksile_pki::TokenVerifier,
}

impl Signer {
    fn new(signer: TokenSigner) -> Self {
        Self { verifier: signer.verifier(), signer }
    }
}

impl TokenIssuer for Signer {
    fn issue(&self, issuer: &str, claims: &Claims) -> Result<String, String> {
        self.signer.sign(&claims.json(issuer)).map_err(|e| e.to_string())
    }

    fn keys(&self) -> Result<Value, String> {
        self.signer.jwks().map_err(|e| e.to_string())
    }
}

impl eksile_kube::tokens::TokenVerifier for Signer {
    fn verify(&self, token: &str, now: jiff::Timestamp) -> Option<Value> {
        self.verifier.verify_for_anyone(token, ISSUER, now).ok()
    }
}
