//! The stores of the world's processes, and what is said of one that is damaged.

use std::{fmt, path::Path, path::PathBuf};

use anyhow::{Context as _, Result};
use eksile_store::{OpenError, Options, Store};

/// A process that ends with this code would end so again: it is not started again, and `up` ends (EX_CONFIG of
/// sysexits.h).
pub(crate) const HOPELESS: u8 = 78;

/// A store that cannot be opened, however often it is tried.
#[derive(Debug)]
pub(crate) struct Unusable {
    path: PathBuf,
    error: OpenError,
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, error) = (self.path.display(), &self.error);
        write!(
            f,
            "the store {path} cannot be used: {error}. Nothing was changed. Put a copy of it back (with its -wal, without \
             its -shm), use the release that wrote it, or remove the installation with `eksile reset`"
        )
    }
}

impl std::error::Error for Unusable {}

/// Opens the store in `path`.
///
/// # Errors
/// [`Unusable`] when the file itself is wrong; others may pass.
pub(crate) fn open(path: &Path) -> Result<Store> {
    match Store::open(path, Options::default()) {
        Err(error) if error.is_final() => Err(Unusable { path: path.to_owned(), error }.into()),
        opened => opened.with_context(|| format!("opening {}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_store_says_what_to_do_and_is_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        drop(open(&path).unwrap());
        let garbage = "no database, whatever its name says".repeat(300);
        std::fs::write(&path, &garbage).unwrap();
        let error = open(&path).unwrap_err();
        assert!(error.is::<Unusable>());
        let told = error.to_string();
        assert!(told.contains(&path.display().to_string()) && told.contains("eksile reset"), "{told}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), garbage);
    }
}
