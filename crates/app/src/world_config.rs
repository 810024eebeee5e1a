//! What an installation is, decided at its first start.

use std::{io::ErrorKind, net::SocketAddr};

use anyhow::{Context, Result, bail};
use eksile_base::ids;
use serde::{Deserialize, Serialize};

use crate::layout::{self, Layout};

/// `DATA/world.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WorldConfig {
    /// The Region whose Zones this machine hosts.
    pub region: String,
    /// The account that owns the Outposts and the user `admin`.
    pub account: String,
    /// Where the AWS door listens on the host.
    pub listen: SocketAddr,
    /// Ids of the Outposts; each has a site.
    pub outposts: Vec<String>,
}

/// What the command line asks for; `None` keeps what the installation has.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wishes {
    pub region: Option<String>,
    pub account: Option<String>,
    pub listen: Option<SocketAddr>,
}

impl WorldConfig {
    /// Reads the installation's settings.
    pub(crate) fn load(layout: &Layout) -> Result<Self> {
        let path = layout.world_config();
        let text = std::fs::read(&path)
            .with_context(|| format!("no installation in {} (start one with `eksile up`)", layout.root().display()))?;
        serde_json::from_slice(&text).with_context(|| format!("reading {}", path.display()))
    }

    /// Reads the settings, or decides them; a wish that contradicts what is decided is refused.
    pub(crate) fn settle(layout: &Layout, wishes: &Wishes) -> Result<Self> {
        let path = layout.world_config();
        let known: Option<Self> = match std::fs::read(&path) {
            Ok(text) => Some(serde_json::from_slice(&text).with_context(|| format!("reading {}", path.display()))?),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error).with_context(|| format!("reading {}", path.display())),
        };
        let settled = match known {
            Some(known) => known.with(wishes)?,
            None => Self::first(wishes)?,
        };
        layout::write(&path, &serde_json::to_vec_pretty(&settled)?)?;
        Ok(settled)
    }

    fn first(wishes: &Wishes) -> Result<Self> {
        let region = wishes.region.clone().unwrap_or_else(|| "us-west-2".to_owned());
        if eksile_ec2::zones::zones(&region).is_empty() {
            let known: Vec<&str> = eksile_ec2::zones::regions().map(|(name, _)| name).collect();
            bail!("--region: there is no Region {region:?}; there are {}", known.join(", "));
        }
        let account = wishes.account.clone().unwrap_or_else(|| "111122223333".to_owned());
        if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
            bail!("--account must be twelve digits, not {account:?}");
        }
        let listen = wishes.listen.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 4566)));
        Ok(Self { region, account, listen, outposts: vec![ids::aws("op")] })
    }

    fn with(mut self, wishes: &Wishes) -> Result<Self> {
        for (name, wish, known) in
            [("--region", &wishes.region, &self.region), ("--account", &wishes.account, &self.account)]
        {
            if wish.as_ref().is_some_and(|wish| wish != known) {
                bail!("{name}: this installation has {known}; another needs its own --data folder");
            }
        }
        if let Some(listen) = wishes.listen {
            self.listen = listen;
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_that_is_none_is_refused_before_anything_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path().to_owned());
        let settle = |region: &str| {
            WorldConfig::settle(&layout, &Wishes { region: Some(region.to_owned()), ..Wishes::default() })
        };
        let why = settle("mars-1").unwrap_err().to_string();
        assert!(
            why.starts_with("--region: there is no Region \"mars-1\"; there are ") && why.contains("us-west-2"),
            "{why}"
        );
        assert!(!layout.world_config().exists());
        assert_eq!(settle("eu-central-1").unwrap().region, "eu-central-1");
    }
}
