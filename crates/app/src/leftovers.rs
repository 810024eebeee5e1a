//! What a world leaves behind: only control groups, since everything else ends with its namespaces.

use std::{
    fs, io,
    path::PathBuf,
    time::{Duration, Instant},
};

use eksile_linux::cgroup as groups;

use crate::layout::Layout;

const CGROUPS: &str = "/sys/fs/cgroup";
/// The kernel may need a moment until a group's last process has gone.
const PATIENCE: Duration = Duration::from_secs(5);
/// Most processes that are named.
const NAMED: usize = 10;

/// The control group below which all of an installation's groups lie, as a path inside each hierarchy.
pub(crate) fn cgroup(layout: &Layout) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, layout.root().as_os_str().as_encoded_bytes());
    format!("/eksile/{}", hex::encode(&digest.as_ref()[..6]))
}

/// Removes the control groups of an earlier run. What cannot be removed is told; it keeps nobody from anything.
pub(crate) fn remove(layout: &Layout) {
    let until = Instant::now() + PATIENCE;
    for group in present(layout) {
        while let Err(error) = groups::remove(&group) {
            if Instant::now() > until {
                let group = group.display();
                tracing::warn!(%error, %group, "a control group of an earlier run stays: {}", remaining(layout));
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Lets all of an installation's processes go on, so that they can be ended.
pub(crate) fn thaw(layout: &Layout) {
    for group in present(layout) {
        if let Err(error) = groups::thaw(&group) {
            tracing::warn!(%error, group = %group.display(), "what is frozen there stays so");
        }
    }
}

/// Which processes of an installation there still are, for who reads it.
pub(crate) fn remaining(layout: &Layout) -> String {
    let mut found = Vec::new();
    for group in present(layout) {
        match groups::processes(&group) {
            Ok(pids) => found.extend(pids),
            Err(error) => return format!("its processes cannot be listed: {error}"),
        }
    }
    found.sort_unstable();
    found.dedup();
    let named: Vec<String> = found.iter().take(NAMED).map(ToString::to_string).collect();
    match found.len() {
        0 => "no process of it is left".to_owned(),
        all if all > NAMED => format!("processes {} and {} more are left", named.join(", "), all - NAMED),
        _ => format!("processes {} are left", named.join(", ")),
    }
}

/// The installation's groups that are there, one a hierarchy.
fn present(layout: &Layout) -> Vec<PathBuf> {
    let inside = cgroup(layout);
    let hierarchies = hierarchies().unwrap_or_else(|error| {
        tracing::warn!(%error, "{CGROUPS} cannot be read");
        Vec::new()
    });
    let group = |root: PathBuf| root.join(inside.trim_start_matches('/'));
    hierarchies.into_iter().map(group).filter(|group| group.is_dir()).collect()
}

/// Every hierarchy: the one of cgroup v2, or each of v1 (cgroups(7)).
fn hierarchies() -> io::Result<Vec<PathBuf>> {
    let mut roots = vec![PathBuf::from(CGROUPS)];
    match fs::read_dir(CGROUPS) {
        Ok(entries) => {
            for entry in entries {
                roots.push(entry?.path());
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    }
    Ok(roots)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of an earlier run, deeper than a path is long, one of them in use.
    #[test]
    fn groups_that_cannot_be_removed_are_told_and_keep_nobody_from_anything() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        let Some(root) = hierarchies().unwrap().into_iter().find(|root| root.ends_with("pids")) else {
            println!("SKIPPED: there is no version 1 hierarchy");
            return;
        };
        let top = root.join(cgroup(&layout).trim_start_matches('/'));
        if fs::create_dir_all(&top).is_err() {
            println!("SKIPPED: this is not root");
            return;
        }
        use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat};
        let mut at = openat(CWD, &top, OFlags::PATH, Mode::empty()).unwrap();
        let name = "d".repeat(200);
        for _ in 0..30 {
            mkdirat(&at, &name, Mode::from_raw_mode(0o755)).unwrap();
            at = openat(&at, &name, OFlags::PATH, Mode::empty()).unwrap();
        }
        let mut child = std::process::Command::new("sleep").arg("600").spawn().unwrap();
        let busy = top.join("busy");
        fs::create_dir(&busy).unwrap();
        fs::write(busy.join("cgroup.procs"), child.id().to_string()).unwrap();
        remove(&layout);
        assert_eq!(remaining(&layout), format!("processes {} are left", child.id()));
        assert!(busy.exists() && !top.join(name).exists());
        child.kill().unwrap();
        child.wait().unwrap();
        remove(&layout);
        assert!(!top.exists());
    }
}
