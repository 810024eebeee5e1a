//! Where, in a site's folder, its instances' output is, for who looks from outside.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::instance::{CONSOLE, JOURNALS};

/// The logs of a site's instances: the console as `INSTANCE`, a unit's journal as `INSTANCE/UNIT`, and what else is in
/// `/var/log` by its name, such as `INSTANCE/cloud-init-output`.
///
/// # Errors
/// A folder cannot be read.
pub fn logs(site: &Path) -> io::Result<BTreeMap<String, PathBuf>> {
    let mut found = BTreeMap::new();
    for (instance, folder) in entries(&site.join("instances"))? {
        let console = folder.join(CONSOLE);
        if console.is_file() {
            found.insert(instance.clone(), console);
        }
        // What runs in the instance may have put a link there which, from here, leads out of it.
        for inside in ["/var/log", JOURNALS] {
            for (file, path) in entries(&folder.join("disk").join(inside.trim_start_matches('/')))? {
                let Some(name) = file.strip_suffix(".log") else { continue };
                if path.is_file() && path.canonicalize()?.starts_with(folder.canonicalize()?) {
                    found.insert(format!("{instance}/{name}"), path);
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
        let instance = site.path().join("instances/i-1");
        let journals = instance.join("disk/var/log/journal");
        std::fs::create_dir_all(&journals).unwrap();
        std::fs::write(instance.join("console.log"), "booted").unwrap();
        std::fs::write(journals.join("kubelet.log"), "ready").unwrap();
        std::fs::write(journals.join("kubelet.log.1"), "older").unwrap();
        std::fs::write(instance.join("disk/var/log/cloud-init-output.log"), "done").unwrap();
        std::os::unix::fs::symlink("/etc/hostname", journals.join("host.log")).unwrap();
        let found = logs(site.path()).unwrap();
        assert_eq!(found.keys().collect::<Vec<_>>(), ["i-1", "i-1/cloud-init-output", "i-1/kubelet"]);
        assert_eq!(std::fs::read_to_string(&found["i-1/kubelet"]).unwrap(), "ready");
    }
}
