//! User namespaces: a range of this machine's ids that looks, inside, like all the ids there are.
//!
//! A network namespace belongs to the user namespace that it was made in: its root rules that network, and nothing
//! outside (user_namespaces(7)). So one name is enough for both: [`Namespace::owner`] leads from one to the other.

use std::fs::{self, File};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;

use nix::libc;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};

use crate::netlink::Netlink;
use crate::{Error, Namespace, fork};

/// `NS_GET_USERNS` of linux/nsfs.h: a descriptor of the user namespace that owns a namespace.
const GET_OWNER: libc::c_ulong = 0xb701;

/// Ids of this machine that one user namespace has for itself: [`IdRange::LENGTH`] users and as many groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdRange {
    /// This machine's id of its root.
    pub base: u32,
}

impl IdRange {
    /// How many ids: all that fit 16 bits, as images and distributions use them.
    pub const LENGTH: u32 = 1 << 16;
}

impl std::fmt::Display for IdRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}+{}", self.base, Self::LENGTH)
    }
}

impl Namespace {
    /// As [`Namespace::create`], owned by a new user namespace whose ids are `ids` of this machine.
    ///
    /// # Errors
    /// When the kernel refuses, such as ids that this process does not rule itself.
    pub fn create_owned(&self, ids: IdRange) -> Result<(), Error> {
        if self.exists() {
            return Ok(());
        }
        File::create(self.path()).map_err(Error::at(format!("create {}", self.path().display())))?;
        let made = fork::paused(|| unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET))
            .map_err(Error::at("new user and network namespaces"))?;
        let process = Path::new("/proc").join(made.pid().to_string());
        let map = format!("0 {} {}\n", ids.base, IdRange::LENGTH);
        for file in ["uid_map", "gid_map"] {
            fs::write(process.join(file), &map)
                .map_err(Error::at(format!("give the ids {ids} to a user namespace")))?;
        }
        let net = process.join("ns/net");
        Netlink::open(&Namespace::at(&net))?.set_up("lo")?;
        // The namespaces live on under the name when the process that made them is let go.
        mount(Some(&net), self.path(), None::<&str>, MsFlags::MS_BIND, None::<&str>)
            .map_err(Error::at(format!("bind {}", self.path().display())))
    }

    /// The user namespace that it belongs to.
    ///
    /// # Errors
    /// When there is no namespace at the path, or its owner is above this process's own.
    #[expect(unsafe_code, reason = "an ioctl that answers a descriptor")]
    pub fn owner(&self) -> Result<OwnedFd, Error> {
        let what = || format!("find whose the namespace {} is", self.path().display());
        let file = File::open(self.path()).map_err(Error::at(what()))?;
        // SAFETY: this request takes no argument and answers a new descriptor or -1.
        let owner = unsafe { libc::ioctl(file.as_raw_fd(), GET_OWNER) };
        if owner < 0 {
            return Err(Error::at(what())(std::io::Error::last_os_error()));
        }
        // SAFETY: the kernel has just made it, and nobody else knows it.
        Ok(unsafe { OwnedFd::from_raw_fd(owner) })
    }
}

/// Makes this process root of the user namespace, with nothing that it had outside of it: neither its user, nor its
/// groups, nor its capabilities, nor the keys of its session. There is no way back. The process must have one thread.
///
/// # Errors
/// When the kernel refuses; then the process must end, since it may be half on its way.
pub fn enter(namespace: &OwnedFd) -> Result<(), Error> {
    setns(namespace, CloneFlags::CLONE_NEWUSER).map_err(Error::at("enter the user namespace"))?;
    let root = nix::unistd::Gid::from_raw(0);
    nix::unistd::setgroups(&[]).map_err(Error::at("leave all groups"))?;
    nix::unistd::setresgid(root, root, root).map_err(Error::at("become the user namespace's root group"))?;
    let root = nix::unistd::Uid::from_raw(0);
    nix::unistd::setresuid(root, root, root).map_err(Error::at("become the user namespace's root"))?;
    leave_keys()
}

/// A new session keyring, with nothing in it (keyctl_join_session_keyring(3)): who has a keyring has its keys, whoever
/// he has become. Of this thread only.
///
/// # Errors
/// When the kernel refuses.
#[expect(unsafe_code, reason = "a system call without a wrapper")]
pub fn leave_keys() -> Result<(), Error> {
    const JOIN_SESSION_KEYRING: libc::c_int = 1;
    // SAFETY: no name is given, so no memory is read.
    let joined = unsafe { libc::syscall(libc::SYS_keyctl, JOIN_SESSION_KEYRING, std::ptr::null::<libc::c_char>()) };
    let error = std::io::Error::last_os_error();
    // A kernel without keys has none to leave.
    if joined >= 0 || error.raw_os_error() == Some(libc::ENOSYS) {
        Ok(())
    } else {
        Err(Error::at("leave all keys")(error))
    }
}
