//! Network namespaces by name, and closures that run inside them.
//!
//! A socket belongs for life to the namespace of the thread that made it (network_namespaces(7)),
//! so a place is entered only by a thread that ends right after: the rest of the process never
//! leaves its own.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::statfs::{FsType, statfs};

use crate::Error;
use crate::netlink::Netlink;

/// Where named namespaces are bind-mounted, in the world's mount namespace.
pub const DIRECTORY: &str = "/run/eksile/netns";

/// `NSFS_MAGIC` of linux/magic.h: the file system of namespace files.
const NSFS: FsType = FsType(0x6e73_6673);

/// A network namespace that a path leads to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Namespace {
    path: PathBuf,
}

impl Namespace {
    /// The one called `name` under [`DIRECTORY`].
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self { path: Path::new(DIRECTORY).join(name) }
    }

    /// The one `path` leads to, such as `/proc/42/ns/net`.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the path leads to a namespace (and not to the empty file a crash may have left).
    #[must_use]
    pub fn exists(&self) -> bool {
        statfs(&self.path).is_ok_and(|s| s.filesystem_type() == NSFS)
    }

    /// Makes it, if it is not there: a new namespace with `lo` up, bind-mounted at the path.
    ///
    /// # Errors
    /// When the kernel refuses (no privilege, no memory), or the directory is missing.
    pub fn create(&self) -> Result<(), Error> {
        self.make(CloneFlags::CLONE_NEWNET, "net", || Netlink::here()?.set_up("lo"))
    }

    /// As [`Self::create`], with a new IPC namespace (ipc_namespaces(7)), which is not one to [`Self::enter`].
    ///
    /// # Errors
    /// As [`Self::create`].
    pub fn create_ipc(&self) -> Result<(), Error> {
        self.make(CloneFlags::CLONE_NEWIPC, "ipc", || Ok(()))
    }

    fn make(
        &self,
        kind: CloneFlags,
        name: &str,
        furnish: impl FnOnce() -> Result<(), Error> + Send,
    ) -> Result<(), Error> {
        if self.exists() {
            return Ok(());
        }
        File::create(&self.path).map_err(Error::at(format!("create {}", self.path.display())))?;
        aside(|| {
            unshare(kind).map_err(Error::at(format!("unshare {name} namespace")))?;
            furnish()?;
            let own = format!("/proc/thread-self/ns/{name}");
            mount(Some(own.as_str()), &self.path, None::<&str>, MsFlags::MS_BIND, None::<&str>)
                .map_err(Error::at(format!("bind {}", self.path.display())))
        })
    }

    /// Removes the name. The namespace itself ends with the last process or socket in it.
    ///
    /// # Errors
    /// When the kernel refuses; that it is not there is no error.
    pub fn delete(&self) -> Result<(), Error> {
        if self.exists() {
            umount2(&self.path, MntFlags::MNT_DETACH).map_err(Error::at(format!("unmount {}", self.path.display())))?;
        }
        match fs::remove_file(&self.path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                Err(Error::at(format!("remove {}", self.path.display()))(e))
            }
            _ => Ok(()),
        }
    }

    /// Runs `f` on a thread that has entered the namespace and ends afterwards. The caller waits.
    ///
    /// # Errors
    /// When the namespace cannot be entered. A panic in `f` is passed on.
    pub fn enter<T: Send>(&self, f: impl FnOnce() -> T + Send) -> Result<T, Error> {
        let file = File::open(&self.path).map_err(Error::at(format!("open namespace {}", self.path.display())))?;
        aside(|| {
            setns(&file, CloneFlags::CLONE_NEWNET)
                .map_err(Error::at(format!("enter namespace {}", self.path.display())))?;
            Ok(f())
        })
    }
}

/// Runs `f` in the network namespace that `path` leads to; see [`Namespace::enter`].
///
/// # Errors
/// As [`Namespace::enter`].
pub fn in_namespace<T: Send>(path: &Path, f: impl FnOnce() -> T + Send) -> Result<T, Error> {
    Namespace::at(path).enter(f)
}

/// Names under [`DIRECTORY`], sorted.
///
/// # Errors
/// When the directory cannot be read; a missing one is empty.
pub fn list() -> Result<Vec<String>, Error> {
    let entries = match fs::read_dir(DIRECTORY) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(Error::at(format!("read {DIRECTORY}")))?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(Error::at(format!("read {DIRECTORY}")))?;
        names.extend(entry.file_name().into_string());
    }
    names.sort_unstable();
    Ok(names)
}

/// Runs `f` on a thread of its own.
fn aside<T: Send>(f: impl FnOnce() -> Result<T, Error> + Send) -> Result<T, Error> {
    thread::scope(|scope| {
        let thread =
            thread::Builder::new().name("place".into()).spawn_scoped(scope, f).map_err(Error::at("start a thread"))?;
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}
