//! Images on disk. A layer is a directory named by its content; a name points to a manifest's digest.
//!
//! ```text
//! layers/<24 hex of the blob's digest>/      complete, or not there: it is renamed into place
//! layers/<24 hex of the blob's digest>.json  what was verified of it, written before
//! images/<64 hex of the digest>.json         what the manifest and configuration said
//! names.json                                 reference -> digest
//! partial/                                   work in progress; emptied at start
//! layout                                     which of these rules hold: 2
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use eksile_base::files::{PRIVATE, replace};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use eksile_linux::tree::remove_tree;

/// What no image may take of the disk, bytes; of a small disk a tenth.
const KEPT_FREE: u64 = 1 << 30;

/// The rules below, in `layout`.
const LAYOUT: &[u8] = b"2\n";

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
    /// `REGISTRY/REPOSITORY` of each that it was pulled from: who may pull its manifest there may have its layers.
    pub repositories: BTreeSet<String>,
}

/// What was verified of a layer. Its content is found by the digest of the bytes that were pulled, never by a name that
/// an image gives it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Layer {
    /// `sha256:…` of the bytes as pulled.
    pub(super) blob: String,
    /// `sha256:…` of the archive in them.
    pub(super) diff_id: String,
    /// Hosts that gave all of the bytes.
    pub(super) registries: BTreeSet<String>,
}

/// A layer in its making, below `partial`: a directory and what was pulled. What is not kept goes when this is dropped.
#[derive(Debug)]
pub(super) struct Partial {
    /// Where it is unpacked.
    pub(super) directory: PathBuf,
    /// What was pulled.
    pub(super) blob: PathBuf,
}

impl Drop for Partial {
    fn drop(&mut self) {
        for gone in [fs::remove_file(&self.blob), remove_tree(&self.directory)] {
            match gone {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::warn!(%error, path = %self.directory.display(), "left behind");
                }
                _ => {}
            }
        }
    }
}

/// The images of a node.
#[derive(Debug)]
pub struct Images {
    root: PathBuf,
    names: Mutex<BTreeMap<String, String>>,
    installing: Mutex<()>,
}

impl Images {
    /// Opens (or makes) the directory.
    ///
    /// # Errors
    /// What the file system says; a damaged index.
    pub fn open(root: &Path) -> io::Result<Self> {
        fs::create_dir_all(root)?;
        let layout = root.join("layout");
        if fs::read(&layout).ok().as_deref() != Some(LAYOUT) {
            // Layers of an earlier layout were named by what images said of them, which nobody had verified.
            for name in ["layers", "images"] {
                remove_tree(&root.join(name))?;
            }
            absent(fs::remove_file(root.join("names.json")))?;
            replace(&layout, LAYOUT, PRIVATE)?;
        }
        remove_tree(&root.join("partial"))?;
        for name in ["layers", "images", "partial"] {
            DirBuilder::new().recursive(true).mode(0o700).create(root.join(name))?;
        }
        let names = match fs::read(root.join("names.json")) {
            Ok(bytes) => serde_json::from_slice(&bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(error),
        };
        Ok(Self { root: root.to_owned(), names: Mutex::new(names), installing: Mutex::new(()) })
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

    /// A place for a layer in its making.
    pub(super) fn partial(&self) -> io::Result<Partial> {
        let mut bytes = [0; 12];
        aws_lc_rs::rand::fill(&mut bytes).map_err(|_| io::Error::other("no entropy"))?;
        let base = self.root.join("partial").join(hex::encode(bytes));
        fs::create_dir(&base)?;
        Ok(Partial { blob: base.with_extension("blob"), directory: base })
    }

    /// What is known of the layer of a blob; none unless it is here.
    pub(super) fn known(&self, blob: &str) -> Option<Layer> {
        let name = layer_name(blob);
        let bytes = fs::read(self.note(&name)).ok()?;
        let layer: Layer = serde_json::from_slice(&bytes)
            .inspect_err(|error| tracing::warn!(%error, blob, "what is known of a layer cannot be read"))
            .ok()?;
        (layer.blob == blob && self.layer(&name).is_dir()).then_some(layer)
    }

    /// Writes down what is known of a layer that is here, or is about to be.
    pub(super) fn note_layer(&self, layer: &Layer) -> io::Result<()> {
        replace(&self.note(&layer_name(&layer.blob)), &serde_json::to_vec(layer)?, PRIVATE)
    }

    /// Puts an unpacked layer in its place.
    pub(super) fn install(&self, layer: &Layer, partial: &Partial) -> io::Result<()> {
        let _alone = self.installing.lock();
        let target = self.layer(&layer_name(&layer.blob));
        if let Some(mut known) = self.known(&layer.blob) {
            // Another pull brought it meanwhile: the same bytes, perhaps from elsewhere.
            known.registries.extend(layer.registries.iter().cloned());
            return self.note_layer(&known);
        }
        // Without its note it is nobody's.
        remove_tree(&target)?;
        self.note_layer(layer)?;
        fs::rename(&partial.directory, target)
    }

    /// Bytes that may be taken for an image: something stays for others.
    pub(super) fn room(&self) -> io::Result<u64> {
        let disk = rustix::fs::statvfs(&self.root)?;
        let kept = (disk.f_blocks.saturating_mul(disk.f_frsize) / 10).min(KEPT_FREE);
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize).saturating_sub(kept))
    }

    fn note(&self, layer: &str) -> PathBuf {
        self.root.join("layers").join(layer).with_extension("json")
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

/// A layer's directory name, from its blob's digest. Short, because all of an image's layers must fit into one page of
/// mount options; the whole digest is in its note.
pub(super) fn layer_name(blob: &str) -> String {
    blob.trim_start_matches("sha256:").chars().take(24).collect()
}

fn absent(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
