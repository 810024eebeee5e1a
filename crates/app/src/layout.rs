//! Where things lie under the data folder.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use eksile_base::files;

/// The data folder.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    root: PathBuf,
}

impl Layout {
    pub(crate) fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// `~/.local/share/eksile`, as the XDG base directory specification has it.
    pub(crate) fn default_root() -> PathBuf {
        let home = || std::env::var_os("HOME").map_or_else(|| PathBuf::from("/root"), PathBuf::from);
        let share = std::env::var_os("XDG_DATA_HOME").map_or_else(|| home().join(".local/share"), PathBuf::from);
        share.join("eksile")
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Settings of the installation: Region, account, Outposts.
    pub(crate) fn world_config(&self) -> PathBuf {
        self.root.join("world.json")
    }

    /// Sockets, pid files and locks; nothing here outlives a run.
    pub(crate) fn run(&self) -> PathBuf {
        self.root.join("run")
    }

    pub(crate) fn up_pid(&self) -> PathBuf {
        self.run().join("up.json")
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    /// Where sites ask the world for loopback listeners.
    pub(crate) fn world_socket(&self) -> PathBuf {
        self.run().join("world.sock")
    }

    /// Where the Region's own Zones' site reaches it.
    pub(crate) fn region_link_socket(&self) -> PathBuf {
        self.run().join("region-link.sock")
    }

    pub(crate) fn region(&self) -> PathBuf {
        self.root.join("region")
    }

    pub(crate) fn sites(&self) -> PathBuf {
        self.root.join("sites")
    }

    /// Which ids of this machine the instances of all sites have.
    pub(crate) fn ids(&self) -> PathBuf {
        self.root.join("ids")
    }

    pub(crate) fn site(&self, site: &str) -> PathBuf {
        self.sites().join(site)
    }

    /// Authorities of the installation: the service link's, and the one that stands for the public web's.
    pub(crate) fn pki(&self) -> PathBuf {
        self.root.join("pki")
    }

    /// The access key of the IAM user `admin`, for `eksile env`.
    pub(crate) fn admin_credentials(&self) -> PathBuf {
        self.root.join("admin-credentials.json")
    }

    /// The quickstart's kubeconfig.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.root.join("kubeconfig")
    }

    /// What an installation that runs in the background has to say.
    pub(crate) fn log(&self) -> PathBuf {
        self.root.join("eksile.log")
    }

    /// All that an installation makes, but for the lock; the settings, which tell a data folder from others, last.
    pub(crate) fn made(&self) -> [PathBuf; 10] {
        [
            self.run(),
            self.sites(),
            self.ids(),
            self.region(),
            self.pki(),
            self.admin_credentials(),
            self.kubeconfig(),
            self.log(),
            self.root.join("eksile.log.1"),
            self.world_config(),
        ]
    }
}

/// Writes one of the installation's own files whole or not at all, readable by its owner only.
pub(crate) fn write(path: &Path, content: &[u8]) -> Result<()> {
    files::replace(path, content, files::PRIVATE).with_context(|| format!("writing {}", path.display()))
}
