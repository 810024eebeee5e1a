//! What is being removed: folders, and what else takes long. A thread of its own does it.

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use eksile_linux::tree::remove_tree;
use tokio::task::{JoinHandle, spawn_blocking};

/// Removals that have begun.
#[derive(Debug, Default)]
pub struct Removals(HashMap<PathBuf, JoinHandle<io::Result<()>>>);

impl Removals {
    /// Begins to remove a folder, or goes on. True once it is not there any more. Whoever filled it may have made it of
    /// any depth.
    ///
    /// # Errors
    /// When something of it stays; the next call begins again.
    pub async fn remove(&mut self, folder: &Path) -> io::Result<bool> {
        if self.under_way(folder).await?.is_some_and(|ended| !ended) {
            return Ok(false);
        }
        match std::fs::symlink_metadata(folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
            Err(error) => Err(error),
            Ok(there) if !there.is_dir() => Err(ErrorKind::NotADirectory.into()),
            Ok(_) => {
                let path = folder.to_owned();
                self.0.insert(folder.to_owned(), spawn_blocking(move || remove_tree(&path)));
                Ok(false)
            }
        }
    }

    /// Begins something else that takes long, known by `name`, or goes on. True when it has ended well.
    ///
    /// # Errors
    /// When it has not; the next call begins again.
    pub async fn run(
        &mut self,
        name: &Path,
        job: impl FnOnce() -> io::Result<()> + Send + 'static,
    ) -> io::Result<bool> {
        if let Some(ended) = self.under_way(name).await? {
            return Ok(ended);
        }
        self.0.insert(name.to_owned(), spawn_blocking(job));
        Ok(false)
    }

    /// Whether what has begun under this name has ended; none: nothing has.
    async fn under_way(&mut self, name: &Path) -> io::Result<Option<bool>> {
        let Some(begun) = self.0.remove(name) else { return Ok(None) };
        if !begun.is_finished() {
            self.0.insert(name.to_owned(), begun);
            return Ok(Some(false));
        }
        begun.await.map_err(io::Error::other)??;
        Ok(Some(true))
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

    /// A container makes one with `mkdir` and `chdir`, as deep as its disk lets it.
    #[tokio::test]
    async fn a_folder_of_any_depth_goes() {
        use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat};
        let base = tempfile::tempdir().unwrap();
        let folder = base.path().join("a");
        std::fs::create_dir(&folder).unwrap();
        let mut at = openat(CWD, &folder, OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).unwrap();
        for _ in 0..60_000 {
            mkdirat(&at, "d", Mode::from_raw_mode(0o755)).unwrap();
            at = openat(&at, "d", OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).unwrap();
        }
        let mut removals = Removals::default();
        while !removals.remove(&folder).await.unwrap() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        assert!(!folder.exists());
    }

    #[tokio::test]
    async fn what_takes_long_ends_well_or_says_why_and_begins_again() {
        let mut removals = Removals::default();
        let name = Path::new("groups");
        let why = loop {
            match removals.run(name, || Err(ErrorKind::ResourceBusy.into())).await {
                Ok(ended) => assert!(!ended),
                Err(error) => break error,
            }
            tokio::task::yield_now().await;
        };
        assert_eq!(why.kind(), ErrorKind::ResourceBusy);
        assert!(!removals.run(name, || Ok(())).await.unwrap());
        while !removals.run(name, || panic!("once only")).await.unwrap() {
            tokio::task::yield_now().await;
        }
    }
}
