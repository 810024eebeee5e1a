//! Blobs on disk: `DIR/sha256/HEX`, whole and durable or not there; `DIR/uploads/UUID` while they come in.

use std::collections::HashSet;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};
use tokio::fs::File;
use tokio::io::AsyncWriteExt as _;

/// A registry's folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder.
    #[error("{path}: {source}")]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The records.
    #[error(transparent)]
    Record(#[from] eksile_store::RecordError),
}

/// The folder.
#[derive(Debug)]
pub(crate) struct Blobs {
    dir: PathBuf,
}

/// A blob on its way in, hashed as it is written. Its file goes with it, however it goes, unless it becomes a blob.
pub(crate) struct Incoming {
    /// None once it has become a blob.
    path: Option<PathBuf>,
    file: File,
    hash: Context,
    pub(crate) size: u64,
}

impl Blobs {
    /// Opens the folder; drops uploads that never ended, and blobs that nothing refers to.
    pub(crate) fn open(dir: PathBuf, wanted: &HashSet<String>) -> Result<Self, OpenError> {
        let at = |path: &Path| {
            let path = path.to_owned();
            move |source| OpenError::Io { path, source }
        };
        let (whole, partial) = (dir.join("sha256"), dir.join("uploads"));
        if partial.exists() {
            std::fs::remove_dir_all(&partial).map_err(at(&partial))?;
        }
        for path in [&whole, &partial] {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(at(path))?;
        }
        for entry in std::fs::read_dir(&whole).map_err(at(&whole))? {
            let entry = entry.map_err(at(&whole))?;
            let digest = format!("sha256:{}", entry.file_name().to_string_lossy());
            if !wanted.contains(&digest) {
                std::fs::remove_file(entry.path()).map_err(at(&entry.path()))?;
            }
        }
        Ok(Self { dir })
    }

    /// A new upload; `id` is a UUID made here.
    pub(crate) async fn begin(&self, id: &str) -> io::Result<Incoming> {
        let path = self.dir.join("uploads").join(id);
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let file = tokio::fs::OpenOptions::from(options).open(&path).await?;
        Ok(Incoming { path: Some(path), file, hash: Context::new(&SHA256), size: 0 })
    }

    /// Makes an upload the blob of `digest`, if it is; durable when this resolves.
    pub(crate) async fn finish(&self, mut incoming: Incoming, digest: &str) -> io::Result<Option<u64>> {
        incoming.file.flush().await?;
        let actual = format!("sha256:{}", hex::encode(incoming.hash.clone().finish()));
        if actual != digest {
            return Ok(None);
        }
        incoming.file.sync_all().await?;
        if let Some(path) = &incoming.path {
            tokio::fs::rename(path, self.path(digest)).await?;
        }
        incoming.path = None;
        File::open(self.dir.join("sha256")).await?.sync_all().await?;
        Ok(Some(incoming.size))
    }

    /// Keeps small bytes whole.
    pub(crate) async fn keep(&self, id: &str, bytes: &[u8], digest: &str) -> io::Result<()> {
        let mut incoming = self.begin(id).await?;
        incoming.write(bytes).await?;
        self.finish(incoming, digest).await.map(|_| ())
    }

    /// Opens a blob for reading. The digest's form has been checked.
    pub(crate) async fn read(&self, digest: &str) -> io::Result<File> {
        File::open(self.path(digest)).await
    }

    fn path(&self, digest: &str) -> PathBuf {
        self.dir.join("sha256").join(digest.strip_prefix("sha256:").unwrap_or(digest))
    }
}

impl Incoming {
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes).await?;
        self.hash.update(bytes);
        self.size += bytes.len() as u64;
        Ok(())
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        let removed = self.path.take().map_or(Ok(()), std::fs::remove_file);
        if let Err(error) = removed {
            tracing::warn!(%error, "what came of an upload stays until the next start");
        }
    }
}

impl std::fmt::Debug for Incoming {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Incoming").field("path", &self.path).field("size", &self.size).finish_non_exhaustive()
    }
}
