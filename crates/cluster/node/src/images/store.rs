//! Images on disk. A layer is a directory named by its content; a name points to a manifest's digest.
//!
//! ```text
//! layers/<24 hex of the diff id>/    complete, or not there: it is renamed into place
//! images/<64 hex of the digest>.json what the manifest and configuration said
//! names.json                         reference -> digest
//! partial/                           work in progress; emptied at start
//! ```

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use eksile_base::files::{PRIVATE, replace};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

/// What an image runs when the pod does not say (OCI image specification, "config").
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ImageConfig {
    /// `USER[:GROUP]`, names or numbers.
    pub user: Option<String>,
    /// `NAME=VALUE`.
    pub env: Option<Vec<String>>,
    /// Program and first arguments.
    pub entrypoint: Option<Vec<String>>,
    /// Further arguments, or all of them.
    pub cmd: Option<Vec<String>>,
    /// Working directory.
    pub working_dir: Option<String>,
    /// Signal that asks it to end.
    pub stop_signal: Option<String>,
}

/// An image that is here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// `sha256:…` of its manifest.
    pub digest: String,
    /// `sha256:…` of its configuration: the image id.
    pub id: String,
    /// Names of its layers' directories, lowest first.
    pub layers: Vec<String>,
    /// Bytes to pull.
    pub size: u64,
    /// How it wants to be run.
    pub config: ImageConfig,
}

/// The images of a node.
#[derive(Debug)]
pub struct Images {
    root: PathBuf,
    names: Mutex<BTreeMap<String, String>>,
}

impl Images {
    /// Opens (or makes) the directory.
    ///
    /// # Errors
    /// What the file system says; a damaged index.
    pub fn open(root: &Path) -> io::Result<Self> {
        for name in ["layers", "images"] {
            fs::create_dir_all(root.join(name))?;
        }
        let partial = root.join("partial");
        if partial.exists() {
            fs::remove_dir_all(&partial)?;
        }
        fs::create_dir(&partial)?;
        let names = match fs::read(root.join("names.json")) {
            Ok(bytes) => serde_json::from_slice(&bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(error),
        };
        Ok(Self { root: root.to_owned(), names: Mutex::new(names) })
    }

    /// The image of a full reference (as [`super::Reference`] prints it), if it is here.
    #[must_use]
    pub fn find(&self, reference: &str) -> Option<Image> {
        let digest = self.names.lock().get(reference).cloned()?;
        self.by_digest(&digest)
    }

    pub(super) fn by_digest(&self, digest: &str) -> Option<Image> {
        let read = fs::read(self.file(digest)).and_then(|bytes| Ok(serde_json::from_slice::<Image>(&bytes)?));
        let image = match read {
            Ok(image) => image,
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    tracing::warn!(%error, digest, "a kept image cannot be read, and is pulled again");
                }
                return None;
            }
        };
        image.layers.iter().all(|layer| self.layer(layer).is_dir()).then_some(image)
    }

    /// Every image with its names, for the node's status.
    #[must_use]
    pub fn list(&self) -> Vec<(String, Image)> {
        let names = self.names.lock().clone();
        names.into_iter().filter_map(|(name, digest)| Some((name, self.by_digest(&digest)?))).collect()
    }

    /// Directory of a layer.
    #[must_use]
    pub fn layer(&self, name: &str) -> PathBuf {
        self.root.join("layers").join(name)
    }

    pub(super) fn partial(&self, name: &str) -> PathBuf {
        self.root.join("partial").join(name)
    }

    fn file(&self, digest: &str) -> PathBuf {
        self.root.join("images").join(digest.trim_start_matches("sha256:")).with_extension("json")
    }

    /// Records a complete image under a name.
    pub(super) fn keep(&self, reference: &str, image: &Image) -> io::Result<()> {
        replace(&self.file(&image.digest), &serde_json::to_vec(image)?, PRIVATE)?;
        let mut names = self.names.lock();
        names.insert(reference.to_owned(), image.digest.clone());
        replace(&self.root.join("names.json"), &serde_json::to_vec(&*names)?, PRIVATE)
    }
}

/// A layer's directory name. Short, because all of an image's layers must fit into one page of mount options.
pub(super) fn layer_name(diff_id: &str) -> String {
    diff_id.trim_start_matches("sha256:").chars().take(24).collect()
}
