//! Whether what an installation keeps is its owner's alone.

use std::{
    fs, io,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use crate::layout::Layout;

/// Rights of anybody but the owner.
const OTHERS: u32 = 0o077;

/// Rights of others that nothing may have: to change it.
const WRITE: u32 = 0o022;
/// What may be read by whoever gets there: certificates, public keys, process ids.
const PUBLIC: [&str; 3] = ["crt", "pub", "pid"];

/// A file or folder that others could read or write, or that is another's.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Open {
    /// Where.
    pub path: PathBuf,
    /// What is wrong.
    pub what: String,
    /// It is another user's.
    pub foreign: bool,
}

/// Every file and folder of an installation that others can use. What instances and images hold is not looked into: it is
/// theirs, below folders that are looked at. Nothing, when there is no installation.
///
/// # Errors
/// When a folder cannot be read.
pub(crate) fn open(layout: &Layout) -> io::Result<Vec<Open>> {
    let mut found = Vec::new();
    match fs::symlink_metadata(layout.root()) {
        Ok(_) => look(layout.root(), layout, &mut found)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    Ok(found)
}

/// Refuses what another user has made or could exchange: whoever owns a folder names the files in it, the account's
/// credentials and the log among them.
///
/// # Errors
/// Naming the first that is another's.
pub(crate) fn own(layout: &Layout) -> io::Result<()> {
    let foreign = open(layout)?.into_iter().find(|open| open.foreign);
    foreign.map_or(Ok(()), |open| {
        let text = format!("{} is {}, and only its own user's installation is trusted", open.path.display(), open.what);
        Err(io::Error::new(io::ErrorKind::PermissionDenied, text))
    })
}

/// Takes the rights of others away from the folders that all else lies below.
///
/// # Errors
/// When they are another's.
pub(crate) fn shut(folders: &[PathBuf]) -> io::Result<()> {
    for folder in folders {
        let mode = fs::metadata(folder)?.permissions().mode();
        if mode & OTHERS != 0 {
            fs::set_permissions(folder, fs::Permissions::from_mode(mode & 0o7700))?;
        }
    }
    Ok(())
}

fn look(path: &Path, layout: &Layout, found: &mut Vec<Open>) -> io::Result<()> {
    let about = match fs::symlink_metadata(path) {
        Ok(about) => about,
        // It went while we looked.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if about.uid() != nix::unistd::geteuid().as_raw() {
        found.push(Open { path: path.to_owned(), what: format!("owned by user {}", about.uid()), foreign: true });
    }
    if about.file_type().is_symlink() && path != layout.root() {
        return Ok(());
    }
    // The folder itself may be named by a link.
    let about = if about.file_type().is_symlink() { fs::metadata(path)? } else { about };
    let mode = about.permissions().mode() & 0o7777;
    let public = about.is_file() && path.extension().is_some_and(|kind| PUBLIC.iter().any(|public| kind == *public));
    if mode & (if public { WRITE } else { OTHERS }) != 0 {
        let what = format!("mode {mode:o}: others may use it; chmod go= it");
        found.push(Open { path: path.to_owned(), what, foreign: false });
    }
    if about.is_dir() && !is_another_world(path, layout) {
        let entries = match fs::read_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            look(&entry?.path(), layout, found)?;
        }
    }
    Ok(())
}

/// Instances' own folders, and the registry's blobs, which have no secrets of the installation.
fn is_another_world(path: &Path, layout: &Layout) -> bool {
    let in_sites = path.strip_prefix(layout.sites()).map(|rest| rest.components().count());
    let instances = in_sites == Ok(2) && path.file_name().is_some_and(|name| name == "instances");
    instances || path == layout.region().join("blobs")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_another_users_is_not_trusted() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path().join("data"));
        own(&layout).unwrap();
        fs::create_dir_all(layout.pki()).unwrap();
        own(&layout).unwrap();
        let give = |path: &Path, user| std::os::unix::fs::lchown(path, Some(user), None).unwrap();
        let log = layout.log();
        std::os::unix::fs::symlink("/etc/hostname", &log).unwrap();
        for foreign in [layout.root().to_owned(), layout.pki(), log] {
            give(&foreign, 65_534);
            let why = own(&layout).unwrap_err().to_string();
            assert!(why.starts_with(&format!("{} is owned by user 65534", foreign.display())), "{why}");
            give(&foreign, 0);
        }
        own(&layout).unwrap();
    }

    #[test]
    fn what_others_can_use_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path().join("data"));
        assert_eq!(open(&layout).unwrap(), []);
        let instances = layout.site("op-1").join("instances/i-1");
        fs::create_dir_all(&instances).unwrap();
        fs::create_dir_all(layout.pki()).unwrap();
        fs::write(instances.join("passwd"), "").unwrap();
        fs::write(layout.pki().join("ca.key"), "").unwrap();
        let folders = [layout.root().to_owned(), layout.pki(), layout.sites(), layout.site("op-1")];
        shut(&[&folders[..], &[layout.site("op-1").join("instances")]].concat()).unwrap();
        let key = layout.pki().join("ca.key");
        let at = |mode| fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
        for mode in [0o644, 0o640, 0o602, 0o601] {
            at(mode);
            let found = open(&layout).unwrap();
            assert_eq!(found.iter().map(|open| &open.path).collect::<Vec<_>>(), [&key], "{mode:o}: {found:?}");
        }
        at(0o600);
        let certificate = layout.pki().join("ca.crt");
        fs::write(&certificate, "").unwrap();
        fs::set_permissions(&certificate, fs::Permissions::from_mode(0o666)).unwrap();
        assert_eq!(open(&layout).unwrap().len(), 1, "others may read a certificate, not change it");
        fs::set_permissions(&certificate, fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(open(&layout).unwrap(), [], "what is in an instance is its own");
    }
}
