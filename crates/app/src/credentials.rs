//! Access keys that an installation is started with.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use eksile_base::{entropy, ids};
use serde::{Deserialize, Serialize};

use crate::{
    layout::{self, Layout},
    world_config::WorldConfig,
};

/// An access key of an account's user `admin`.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Credential {
    /// `AKIA…` and the like.
    pub access_key_id: String,
    /// Never logged.
    pub secret_access_key: String,
    /// Twelve digits.
    pub account: String,
}

impl Credential {
    /// What the aws CLI and the SDKs read of a file of credentials.
    pub(crate) fn profile(&self) -> String {
        format!(
            "[default]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
            self.access_key_id, self.secret_access_key
        )
    }

    /// The environment variables that the aws CLI and the SDKs read.
    pub(crate) fn exports(&self, config: &WorldConfig, listen: SocketAddr) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL", format!("http://{listen}")),
            ("AWS_ACCESS_KEY_ID", self.access_key_id.clone()),
            ("AWS_SECRET_ACCESS_KEY", self.secret_access_key.clone()),
            ("AWS_REGION", config.region.clone()),
            ("AWS_DEFAULT_REGION", config.region.clone()),
        ]
    }
}

/// The installation's own administrator.
pub(crate) fn admin(layout: &Layout) -> Result<Credential> {
    all(layout)?.into_iter().next().context("the installation has no administrator")
}

/// Every key that the Region is started with, the installation's administrator first.
pub(crate) fn all(layout: &Layout) -> Result<Vec<Credential>> {
    let path = layout.admin_credentials();
    let text = std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("reading {}", path.display()))
}

/// Makes the administrator's key at the first start, and takes up those that the command line brings.
pub(crate) fn remember(layout: &Layout, config: &WorldConfig, given: &[String]) -> Result<()> {
    let mut known = if layout.admin_credentials().exists() { all(layout)? } else { vec![generate(&config.account)] };
    for (number, text) in (1..).zip(given) {
        let credential = parse(text, &config.account)
            .with_context(|| format!("access key {number} of those that --credential and --credential-file give"))?;
        known.retain(|other| other.access_key_id != credential.access_key_id);
        known.push(credential);
    }
    layout::write(&layout.admin_credentials(), &serde_json::to_vec_pretty(&known)?)
}

fn parse(text: &str, account: &str) -> Result<Credential> {
    let parts: Vec<&str> = text.split(':').collect();
    let (key, secret, account) = match parts[..] {
        [key, secret] => (key, secret, account),
        [key, secret, account] => (key, secret, account),
        _ => bail!("it must be KEY:SECRET or KEY:SECRET:ACCOUNT"),
    };
    let word = |part: &str| part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !(4..=128).contains(&key.len()) || !word(key) {
        bail!("the access key id must be 4 to 128 letters, digits or underscores");
    }
    if secret.is_empty() {
        bail!("the secret must not be empty");
    }
    if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
        bail!("the account must be twelve digits");
    }
    Ok(Credential { access_key_id: key.to_owned(), secret_access_key: secret.to_owned(), account: account.to_owned() })
}

fn generate(account: &str) -> Credential {
    const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    Credential {
        access_key_id: ids::access_key("AKIA"),
        secret_access_key: entropy::text(BASE64, 40),
        account: account.to_owned(),
    }
}
