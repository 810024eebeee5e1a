//! What the containers of a pod talk through besides its network: an IPC namespace and a `/dev/shm` of the pod's own.
//!
//! Upstream's sandbox has both (CRI, `NamespaceOption.ipc`); here they hang on names, as the pod's network does, and
//! outlive the node's process.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use eksile_linux::{Error, Namespace};
use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};

/// containerd's size and mode of `/dev/shm`.
const SHM: &str = "mode=1777,size=65536k";

/// A pod's namespace and memory.
pub(crate) struct Ipc {
    namespace: Namespace,
    shm: PathBuf,
}

impl Ipc {
    /// Of the pod `uid`, below `run`, where the names of pods' namespaces are.
    pub(crate) fn of(run: &Path, uid: &str) -> Self {
        Self { namespace: Namespace::at(run.join(uid).with_extension("ipc")), shm: run.join(uid).with_extension("shm") }
    }

    /// Where the namespace is.
    pub(crate) fn namespace(&self) -> &Path {
        self.namespace.path()
    }

    /// What `/dev/shm` is in every container.
    pub(crate) fn shm(&self) -> &Path {
        &self.shm
    }

    /// Makes both; what is there stays.
    pub(crate) fn add(&self) -> Result<(), Error> {
        if self.namespace.exists() {
            return Ok(());
        }
        // The memory first: who finds the namespace finds both.
        self.remove()?;
        let at = || format!("make {}", self.shm.display());
        fs::DirBuilder::new().mode(0o700).create(&self.shm).map_err(Error::at(at()))?;
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
        mount(Some("shm"), &self.shm, Some("tmpfs"), flags, Some(SHM)).map_err(Error::at(at()))?;
        self.namespace.create_ipc()
    }

    /// Removes both; none is no error.
    pub(crate) fn remove(&self) -> Result<(), Error> {
        self.namespace.delete()?;
        let at = || format!("remove {}", self.shm.display());
        match umount2(&self.shm, MntFlags::MNT_DETACH) {
            // Not there, or there and not mounted.
            Ok(()) | Err(Errno::ENOENT | Errno::EINVAL) => {}
            Err(error) => return Err(Error::at(at())(io::Error::from(error))),
        }
        match fs::remove_dir(&self.shm) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::at(at())(error)),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_made_once_and_leaves_nothing() {
        let run = tempfile::tempdir().unwrap();
        let ipc = Ipc::of(run.path(), "uid");
        ipc.add().unwrap();
        fs::write(ipc.shm().join("kept"), "").unwrap();
        ipc.add().unwrap();
        assert!(ipc.shm().join("kept").exists(), "what is there stays");
        let own = fs::read_link("/proc/self/ns/ipc").unwrap();
        let inode = std::os::unix::fs::MetadataExt::ino(&fs::metadata(ipc.namespace()).unwrap());
        assert!(!own.to_string_lossy().contains(&inode.to_string()), "another namespace than the node's");
        ipc.remove().unwrap();
        ipc.remove().unwrap();
        assert_eq!(fs::read_dir(run.path()).unwrap().count(), 0);
    }
}
