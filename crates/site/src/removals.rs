//! Folders that are being removed. A big one takes long, so a thread of its own does it.

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use tokio::task::{JoinHandle, spawn_blocking};

/// Removals that have begun.
#[derive(Debug, Default)]
pub struct Removals(HashMap<PathBuf, JoinHandle<io::Result<()>>>);

impl Removals {
    /// Begins to remove a folder, or goes on. True once it is not there any more.
    ///
    /// # Errors
    /// When something of it stays; the next call begins again.
    pub async fn remove(&mut self, folder: &Path) -> io::Result<bool> {
        if let Some(begun) = self.0.remove(folder) {
            if !begun.is_finished() {
                self.0.insert(folder.to_owned(), begun);
                return Ok(false);
            }
            begun.await.map_err(io::Error::other)??;
        }
        match std::fs::symlink_metadata(folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
            Err(error) => Err(error),
            Ok(_) => {
                let path = folder.to_owned();
                self.0.insert(folder.to_owned(), spawn_blocking(move || std::fs::remove_dir_all(path)));
                Ok(false)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_folder_goes_and_one_that_stays_says_why() {
        let base = tempfile::tempdir().unwrap();
        let folder = base.path().join("a");
        std::fs::create_dir_all(folder.join("b/c")).unwrap();
        let mut removals = Removals::default();
        while !removals.remove(&folder).await.unwrap() {
            tokio::task::yield_now().await;
        }
        assert!(!folder.exists() && removals.remove(&folder).await.unwrap());
        // A file in place of a folder is none that may be removed so.
        std::fs::write(&folder, "").unwrap();
        let why = loop {
            match removals.remove(&folder).await {
                Ok(gone) => assert!(!gone),
                Err(error) => break error,
            }
            tokio::task::yield_now().await;
        };
        assert_eq!(why.kind(), ErrorKind::NotADirectory);
        assert!(folder.exists());
    }
}
