//! Where, in a site's folder, its instances' output is, for who looks from outside.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::beneath;
use crate::instance::{CONSOLE, JOURNALS};

/// A log that an instance writes, on its disk. Whatever the instance puts there, nothing outside of its disk is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    disk: PathBuf,
    inside: PathBuf,
}

impl Log {
    /// Opens it.
    ///
    /// # Errors
    /// When it is gone, or has become anything but a file.
    pub fn open(&self) -> io::Result<File> {
        beneath::open(&self.disk, &self.inside)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.disk.join(&self.inside)
    }
}

/// The logs of a site's instances: the console as `INSTANCE`, a unit's journal as `INSTANCE/UNIT`, and what else is in
/// `/var/log` by its name, such as `INSTANCE/cloud-init-output`.
///
/// # Errors
/// The site's own folder cannot be read. An instance whose logs cannot be read has none.
pub fn logs(site: &Path) -> io::Result<BTreeMap<String, Log>> {
    let mut found = BTreeMap::new();
    for (instance, folder) in entries(&site.join("instances"))? {
        let disk = folder.join("disk");
        for directory in [Path::new("/var/log"), Path::new(JOURNALS)] {
            let directory = directory.strip_prefix("/").unwrap_or(directory);
            for file in beneath::names(&disk, directory).unwrap_or_default() {
                let Some(name) = file.strip_suffix(".log") else { continue };
                let log = Log { disk: disk.clone(), inside: directory.join(&file) };
                let console = Path::new("/").join(&log.inside) == Path::new(CONSOLE);
                if log.open().is_ok() {
                    found.insert(if console { instance.clone() } else { format!("{instance}/{name}") }, log);
                }
            }
        }
    }
    Ok(found)
}

/// Names and paths; none of a folder that is not there.
fn entries(folder: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let listed = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        listed => listed?,
    };
    listed.map(|entry| entry.map(|e| (e.file_name().to_string_lossy().into_owned(), e.path()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consoles_and_journals_are_found_and_links_to_the_host_are_not() {
        let site = tempfile::tempdir().unwrap();
        assert!(logs(site.path()).unwrap().is_empty());
        let disk = site.path().join("instances/i-1/disk");
        let journals = disk.join("var/log/journal");
        std::fs::create_dir_all(&journals).unwrap();
        std::fs::write(disk.join("var/log/console.log"), "booted").unwrap();
        std::fs::write(journals.join("kubelet.log"), "ready").unwrap();
        std::fs::write(journals.join("kubelet.log.1"), "older").unwrap();
        std::fs::write(disk.join("var/log/cloud-init-output.log"), "done").unwrap();
        std::os::unix::fs::symlink("/etc/hostname", journals.join("host.log")).unwrap();
        let found = logs(site.path()).unwrap();
        assert_eq!(found.keys().collect::<Vec<_>>(), ["i-1", "i-1/cloud-init-output", "i-1/kubelet"]);
        assert_eq!(io::read_to_string(found["i-1/kubelet"].open().unwrap()).unwrap(), "ready");
        // Between being listed and being read, and while it is followed.
        let kept = found["i-1/kubelet"].path();
        std::fs::remove_file(&kept).unwrap();
        std::os::unix::fs::symlink("/etc/hostname", kept).unwrap();
        assert!(found["i-1/kubelet"].open().is_err());
        std::fs::rename(disk.join("var"), disk.join("other")).unwrap();
        std::os::unix::fs::symlink("other", disk.join("var")).unwrap();
        assert!(found["i-1"].open().is_err() && logs(site.path()).unwrap().is_empty());
    }
}
