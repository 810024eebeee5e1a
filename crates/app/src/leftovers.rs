//! What a world leaves behind: only control groups, since everything else ends with its namespaces.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use crate::layout::Layout;

const CGROUPS: &str = "/sys/fs/cgroup";
/// The kernel may need a moment until a group's last process has gone.
const PATIENCE: Duration = Duration::from_secs(5);

/// The control group below which all of an installation's groups lie, as a path inside each hierarchy.
pub(crate) fn cgroup(layout: &Layout) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, layout.root().as_os_str().as_encoded_bytes());
    format!("/eksile/{}", hex::encode(&digest.as_ref()[..6]))
}

/// Removes the control groups of an earlier run.
pub(crate) fn remove(layout: &Layout) -> Result<()> {
    let inside = cgroup(layout);
    for root in hierarchies()? {
        let group = root.join(inside.trim_start_matches('/'));
        if group.is_dir() {
            let begun = Instant::now();
            while let Err(error) = remove_tree(&group) {
                if begun.elapsed() > PATIENCE {
                    return Err(error).with_context(|| format!("removing {}", group.display()));
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }
    Ok(())
}

/// Every hierarchy: the one of cgroup v2, or each of v1 (cgroups(7)).
fn hierarchies() -> Result<Vec<PathBuf>> {
    let mut roots = vec![PathBuf::from(CGROUPS)];
    match fs::read_dir(CGROUPS) {
        Ok(entries) => {
            for entry in entries {
                roots.push(entry.context("reading the control groups")?.path());
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).context("reading the control groups"),
    }
    Ok(roots)
}

/// Groups are removed from the leaves up; their files go with them.
fn remove_tree(group: &Path) -> io::Result<()> {
    for entry in fs::read_dir(group)? {
        let path = entry?.path();
        if path.is_dir() {
            remove_tree(&path)?;
        }
    }
    fs::remove_dir(group)
}
