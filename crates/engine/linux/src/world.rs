//! The world: a process that is the first of its own PID, mount and network namespaces.
//!
//! When its starter ends, however it ends, the kernel kills the world's first process
//! (`PR_SET_PDEATHSIG`, prctl(2)), and with it everything in its PID namespace
//! (pid_namespaces(7)); mounts and network namespaces go with their last process.

use std::ffi::{CString, OsString};
use std::fs;
use std::io::{self, PipeReader, PipeWriter, Read};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::mpsc;
use std::thread;

use nix::libc;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, clone};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;
use tokio::sync::watch;

use crate::netlink::Netlink;
use crate::{Error, Namespace, netns, reap};

/// What to run as the world's first process.
#[derive(Debug, Default)]
pub struct Order {
    /// The program; no search.
    pub program: PathBuf,
    /// Its arguments, without the program's name.
    pub args: Vec<OsString>,
    /// Variables in addition to (and before) this process's own.
    pub env: Vec<(OsString, OsString)>,
    /// Descriptors that stay open in it, under the same numbers.
    pub inherit: Vec<OwnedFd>,
}

/// A running world.
#[derive(Debug)]
pub struct World {
    pid: Pid,
    ended: watch::Receiver<Option<ExitStatus>>,
}

impl World {
    /// Starts one. It lives at most as long as this process. It has a session of its own, so a
    /// terminal's interrupt reaches only this process.
    ///
    /// # Errors
    /// When the kernel refuses the namespaces, or the program cannot be executed.
    pub fn start(order: Order) -> Result<Self, Error> {
        let image = Image::new(&order)?;
        let (started, starts) = mpsc::channel();
        let (ends, ended) = watch::channel(None);
        // The death signal comes when the *thread* that made the child ends (prctl(2)), so one
        // thread makes it and then waits for it.
        thread::Builder::new()
            .name("world".into())
            .spawn(move || {
                let child = image.clone_and_exec();
                let pid = child.as_ref().ok().copied();
                let heard = started.send(child).is_ok();
                drop(order);
                if let (Some(pid), true) = (pid, heard) {
                    ends.send_replace(Some(wait_for(pid)));
                }
            })
            .map_err(Error::at("start a thread"))?;
        let pid = starts.recv().map_err(|_| Error::Malformed("the world's start".into()))??;
        Ok(Self { pid, ended })
    }

    /// Its process id, as this process sees it.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid.as_raw()
    }

    /// A named namespace of that world, seen from outside of it.
    #[must_use]
    pub fn place(&self, name: &str) -> Namespace {
        Namespace::at(format!("/proc/{}/root{}/{name}", self.pid, netns::DIRECTORY))
    }

    /// Sends a signal to its first process. Those that it does not handle are ignored, except
    /// `SIGKILL` and `SIGSTOP`.
    ///
    /// # Errors
    /// When it has ended.
    pub fn signal(&self, signal: Signal) -> Result<(), Error> {
        if self.ended.borrow().is_some() {
            return Err(Error::at("signal the world")(io::Error::from_raw_os_error(libc::ESRCH)));
        }
        kill(self.pid, signal).map_err(Error::at("signal the world"))
    }

    /// Waits until its first process, and so all of it, has ended.
    pub async fn ended(&mut self) -> ExitStatus {
        use std::os::unix::process::ExitStatusExt;
        match self.ended.wait_for(Option::is_some).await {
            Ok(status) => status.unwrap_or_default(),
            // The waiting thread is gone, which it never is before it has told.
            Err(_) => ExitStatus::from_raw(libc::SIGKILL),
        }
    }
}

/// To be called first thing in the world's first process, before it starts threads: mounts that
/// do not propagate, a fresh `/proc`, `lo` up, an empty `/run` with [`netns::DIRECTORY`].
///
/// # Errors
/// When this is not the first process of a PID namespace, or a mount fails.
pub fn settle() -> Result<(), Error> {
    if std::process::id() != 1 {
        return Err(Error::Malformed("the world's first process must have process id 1".into()));
    }
    let none = None::<&str>;
    let safe = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).map_err(Error::at("make mounts private"))?;
    mount(Some("proc"), "/proc", Some("proc"), safe | MsFlags::MS_NOEXEC, none).map_err(Error::at("mount /proc"))?;
    mount(Some("run"), "/run", Some("tmpfs"), safe, Some("mode=755")).map_err(Error::at("mount /run"))?;
    Netlink::here()?.set_up("lo")?;
    fs::create_dir_all(netns::DIRECTORY).map_err(Error::at(format!("make {}", netns::DIRECTORY)))
}

fn wait_for(pid: Pid) -> ExitStatus {
    loop {
        match waitpid(pid, None) {
            Ok(status) => {
                if let Some((_, status)) = reap::exit_status(status) {
                    return status;
                }
            }
            Err(nix::Error::EINTR) => {}
            // Somebody else collected it, so that how it ended is not known.
            Err(_) => return ExitStatus::default(),
        }
    }
}

/// Everything the child needs, made before it exists: between clone and exec it must not allocate.
struct Image {
    program: CString,
    args: Vec<CString>,
    env: Vec<CString>,
    inherit: Vec<RawFd>,
}

impl Image {
    fn new(order: &Order) -> Result<Self, Error> {
        let c = |bytes: &[u8]| CString::new(bytes).map_err(|_| Error::Malformed("argument with a zero byte".into()));
        let program = c(order.program.as_os_str().as_bytes())?;
        let mut args = vec![program.clone()];
        for arg in &order.args {
            args.push(c(arg.as_bytes())?);
        }
        let mut env = Vec::new();
        let added = order.env.iter().cloned();
        let own = std::env::vars_os().filter(|(k, _)| order.env.iter().all(|(added, _)| added != k));
        for (key, value) in added.chain(own) {
            env.push(c(&[key.as_bytes(), b"=", value.as_bytes()].concat())?);
        }
        Ok(Self { program, args, env, inherit: order.inherit.iter().map(AsRawFd::as_raw_fd).collect() })
    }

    fn clone_and_exec(&self) -> Result<Pid, Error> {
        // The child learns through `alive` whether the starter ended before the death signal was
        // armed; the starter learns through `report` why exec failed. Both close on exec.
        let (alive, mine) = io::pipe().map_err(Error::at("make a pipe"))?;
        let (mut report, failed) = io::pipe().map_err(Error::at("make a pipe"))?;
        let pid = self.clone_child(&alive, &mine, &failed)?;
        drop(failed);
        let mut errno = [0; 4];
        let outcome = report.read_exact(&mut errno);
        // `mine` lives in this frame until the child has armed its death signal and executed.
        drop(mine);
        match outcome {
            Err(_) => Ok(pid),
            Ok(()) => {
                wait_for(pid);
                let cause = io::Error::from_raw_os_error(i32::from_ne_bytes(errno));
                Err(Error::at(format!("start {}", self.program.to_string_lossy()))(cause))
            }
        }
    }

    #[expect(unsafe_code, reason = "clone with new namespaces")]
    fn clone_child(&self, alive: &PipeReader, mine: &PipeWriter, failed: &PipeWriter) -> Result<Pid, Error> {
        let pointers = |list: &[CString]| -> Vec<*const libc::c_char> {
            list.iter().map(|c| c.as_ptr()).chain([std::ptr::null()]).collect()
        };
        let (args, env) = (pointers(&self.args), pointers(&self.env));
        let (alive, mine, failed) = (alive.as_raw_fd(), mine.as_raw_fd(), failed.as_raw_fd());
        let child = Box::new(|| become_first(&self.program, &args, &env, &self.inherit, (alive, mine, failed)));
        let mut stack = vec![0; 64 * 1024];
        let flags = CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET;
        // SAFETY: without CLONE_VM the child has a copy of this address space and its own copy of
        // the stack; `become_first` makes only async-signal-safe calls and does not return to Rust.
        unsafe { clone(child, &mut stack, flags, Some(libc::SIGCHLD)) }.map_err(Error::at("clone into new namespaces"))
    }
}

/// The child between clone and exec: only async-signal-safe calls (signal-safety(7)), no allocation.
#[expect(unsafe_code, reason = "system calls between clone and exec")]
fn become_first(
    program: &CString,
    args: &[*const libc::c_char],
    env: &[*const libc::c_char],
    inherit: &[RawFd],
    (alive, mine, failed): (RawFd, RawFd, RawFd),
) -> isize {
    // SAFETY: plain system calls on descriptors and zero-terminated arrays that were made before
    // the clone and live in this process's copy of memory; none of them allocates or takes a lock.
    unsafe {
        libc::close(mine);
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        let mut watched = libc::pollfd { fd: alive, events: 0, revents: 0 };
        if libc::poll(&raw mut watched, 1, 0) != 0 {
            libc::_exit(1);
        }
        let mut nothing = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
        libc::sigemptyset(nothing.as_mut_ptr());
        libc::sigprocmask(libc::SIG_SETMASK, nothing.as_ptr(), std::ptr::null_mut());
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
        libc::setsid();
        for fd in inherit {
            libc::fcntl(*fd, libc::F_SETFD, 0);
        }
        libc::execve(program.as_ptr(), args.as_ptr(), env.as_ptr());
        let errno = (*libc::__errno_location()).to_ne_bytes();
        libc::write(failed, errno.as_ptr().cast(), errno.len());
        libc::_exit(127)
    }
}
