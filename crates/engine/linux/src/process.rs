//! Processes that outlive their starter, found again by pid and start time.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use nix::libc;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::Error;

/// A process that cannot be mistaken for a later one with the same pid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// Process id, in this process's PID namespace.
    pub pid: i32,
    /// Clock ticks since boot when it started: field 22 of `/proc/PID/stat`, proc_pid_stat(5).
    pub start: u64,
}

impl Identity {
    /// Of a running process.
    ///
    /// # Errors
    /// When there is none with that pid.
    pub fn of(pid: i32) -> Result<Self, Error> {
        Ok(Stat::of(pid)?.identity)
    }

    /// As a pid file has it; nothing when there is no such file.
    ///
    /// # Errors
    /// When the file cannot be read or is no pid file.
    pub fn read(pidfile: &Path) -> Result<Option<Self>, Error> {
        let text = match fs::read_to_string(pidfile) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(Error::at(format!("read {}", pidfile.display())))?,
        };
        let stat = Stat::parse(&text).ok_or_else(|| Error::Malformed(pidfile.display().to_string()))?;
        Ok(Some(stat.identity))
    }

    /// Whether it runs. One that has ended but was not collected (a zombie) does not.
    #[must_use]
    pub fn is_alive(self) -> bool {
        Stat::of(self.pid).is_ok_and(|s| s.identity == self && !matches!(s.state, b'Z' | b'X'))
    }

    /// Sends it a signal; never to a later process with its pid.
    ///
    /// # Errors
    /// When it has ended ([`Error::is_absent`]), or belongs to another user.
    pub fn signal(self, signal: Signal) -> Result<(), Error> {
        let handle = self.open()?;
        pidfd_send_signal(handle, signal).map_err(Error::at(format!("signal process {}", self.pid)))
    }

    /// Waits until it has ended.
    ///
    /// # Errors
    /// When the runtime cannot watch it.
    pub async fn ended(self) -> Result<(), Error> {
        let handle = match self.open() {
            Err(e) if e.is_absent() => return Ok(()),
            other => other?,
        };
        let what = format!("watch process {}", self.pid);
        let handle = watched(handle).map_err(Error::at(what.as_str()))?;
        handle.readable().await.map(drop).map_err(Error::at(what))
    }

    /// A descriptor of the process (pidfd_open(2)), checked to be this one.
    fn open(self) -> Result<OwnedFd, Error> {
        let gone = || Error::at(format!("process {}", self.pid))(io::Error::from_raw_os_error(libc::ESRCH));
        let pid = Pid::from_raw(self.pid).ok_or_else(gone)?;
        let handle = pidfd_open(pid, PidfdFlags::empty()).map_err(Error::at(format!("open process {}", self.pid)))?;
        // The descriptor is of whoever has the pid now; compare after opening, not before.
        if self.is_alive() { Ok(handle) } else { Err(gone()) }
    }
}

#[expect(unsafe_code, reason = "registering a descriptor with the runtime")]
fn watched(handle: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` keeps its descriptor open, and the same one, until it is dropped.
    Ok(unsafe { AsyncFd::register_with_interest(handle, Interest::READABLE) }?)
}

/// Starts `command` in a session of its own, with a pid file that exists before the program runs:
/// a starter killed at any moment leaves no process without one. Call it on a tokio runtime, which
/// collects the child should it end while this process lives.
///
/// # Errors
/// When the pid file cannot be written or the program cannot be started.
pub fn spawn_detached(mut command: Command, pidfile: &Path) -> Result<Identity, Error> {
    let new = pidfile.with_extension("new");
    let what = || format!("write {}", new.display());
    let file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&new)
        .map_err(Error::at(what()))?;
    let c = |path: &Path| CString::new(path.as_os_str().as_bytes()).map_err(|_| Error::Malformed(what()));
    detach(&mut command, file.as_raw_fd(), c(&new)?, c(pidfile)?);
    let program = command.get_program().to_string_lossy().into_owned();
    let child = tokio::process::Command::from(command).spawn();
    if child.is_err() {
        // The child may have renamed it already.
        let _absent = fs::remove_file(&new).or_else(|_| fs::remove_file(pidfile));
    }
    child.map_err(Error::at(format!("start {program}")))?;
    Identity::read(pidfile)?.ok_or_else(|| Error::Malformed(pidfile.display().to_string()))
}

/// In the child: a new session, and its own `/proc/self/stat` line into the pid file.
#[expect(unsafe_code, reason = "work between fork and exec")]
fn detach(command: &mut Command, file: RawFd, new: CString, pidfile: CString) {
    let child = move || {
        let mut line = [0_u8; 512];
        // SAFETY: plain system calls on memory and descriptors made before the fork; none of them
        // allocates or takes a lock.
        let done = unsafe {
            libc::setsid();
            let stat = libc::open(c"/proc/self/stat".as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC);
            let length = libc::read(stat, line.as_mut_ptr().cast(), line.len());
            length > 0
                && libc::write(file, line.as_ptr().cast(), length.unsigned_abs()) == length
                && libc::rename(new.as_ptr(), pidfile.as_ptr()) == 0
        };
        if done { Ok(()) } else { Err(io::Error::last_os_error()) }
    };
    // SAFETY: the closure makes only async-signal-safe calls (signal-safety(7)) and does not allocate.
    unsafe {
        command.pre_exec(child);
    }
}

/// Lets nothing but what is told pass on to the program that `command` starts: no blocked or ignored signals, no
/// descriptors but 0, 1 and 2. (The variables of the environment are the caller's to clear.)
#[expect(unsafe_code, reason = "work between fork and exec")]
pub fn inherit_nothing(command: &mut Command) -> &mut Command {
    // SAFETY: the closure makes only async-signal-safe calls (signal-safety(7)) and does not allocate.
    unsafe { command.pre_exec(leave_nothing) }
}

/// Does to this process, before it executes another program, what [`inherit_nothing`] does to a child.
///
/// # Errors
/// When the kernel refuses.
pub fn leave_nothing() -> io::Result<()> {
    clean_signals()?;
    // Marked, not closed: whoever starts a program may hear of its failure through one of them.
    close_later(3)
}

/// The highest signal, and the size in bytes of a set of them (signal(7)).
const LAST_SIGNAL: libc::c_int = 64;
const SIGNAL_SET: libc::size_t = 8;

#[expect(unsafe_code, reason = "changes signal masks and dispositions")]
fn clean_signals() -> io::Result<()> {
    // The kernel's own form of a disposition (handler, flags, restorer, mask), all zero: the default. The C library's
    // function leaves out two signals that it uses itself, which a program is born with ignored just as well.
    let default = [0_u64; 4];
    // SAFETY: plain system calls on memory of this frame; the default disposition installs no handler.
    unsafe {
        for signal in 1..=LAST_SIGNAL {
            // Two cannot be changed: they are as they should be.
            libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), std::ptr::null_mut::<u64>(), SIGNAL_SET);
        }
        let nothing = 0_u64;
        let null = std::ptr::null_mut::<u64>();
        if libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &raw const nothing, null, SIGNAL_SET) != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

#[expect(unsafe_code, reason = "a system call without a wrapper")]
fn close_later(first: libc::c_uint) -> io::Result<()> {
    // SAFETY: only sets flags of descriptors.
    let done = unsafe { libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

struct Stat {
    identity: Identity,
    state: u8,
}

impl Stat {
    fn of(pid: i32) -> Result<Self, Error> {
        let path = format!("/proc/{pid}/stat");
        let text = fs::read_to_string(&path).map_err(Error::at(path.as_str()))?;
        Self::parse(&text).ok_or(Error::Malformed(path))
    }

    /// `PID (NAME) STATE …`: the name may hold spaces and parentheses, so fields count from the last one.
    fn parse(text: &str) -> Option<Self> {
        let (head, tail) = (text.split_once(' ')?.0, text.rsplit_once(") ")?.1);
        let mut fields = tail.split(' ');
        let state = *fields.next()?.as_bytes().first()?;
        let identity = Identity { pid: head.parse().ok()?, start: fields.nth(18)?.trim().parse().ok()? };
        Some(Self { identity, state })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_confuse() {
        let line = "7 (a) b (c) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4242 9 9\n";
        let stat = Stat::parse(line).unwrap();
        assert_eq!((stat.identity, stat.state), (Identity { pid: 7, start: 4242 }, b'S'));
    }

    #[test]
    fn garbage_is_no_pid_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.pid");
        assert_eq!(Identity::read(&path).unwrap(), None);
        for text in
            ["", "1", "1 (x", "1 (x) ", "1 (x) S 1 2 3", "x (x) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4"]
        {
            fs::write(&path, text).unwrap();
            assert!(matches!(Identity::read(&path), Err(Error::Malformed(_))), "{text:?}");
        }
    }

    #[test]
    fn another_process_with_the_same_pid_is_not_alive() {
        let me = Identity::of(i32::try_from(std::process::id()).unwrap()).unwrap();
        assert!(me.is_alive());
        let earlier = Identity { start: me.start - 1, ..me };
        assert!(!earlier.is_alive());
        assert!(earlier.signal(Signal::TERM).unwrap_err().is_absent());
    }

    #[test]
    fn a_clean_program_inherits_no_mask_no_disposition_and_no_descriptor() {
        use nix::sys::signal::{SigSet, Signal};
        let mut mask = SigSet::empty();
        mask.add(Signal::SIGTERM);
        let before = SigSet::thread_get_mask().unwrap();
        mask.thread_block().unwrap();
        let leak = rustix::io::fcntl_dupfd_cloexec(fs::File::open("/").unwrap(), 100).unwrap();
        rustix::io::fcntl_setfd(&leak, rustix::io::FdFlags::empty()).unwrap();
        let run = |clean: bool| {
            let words = |words: &[&str]| {
                let mut command = Command::new(words[0]);
                command.args(&words[1..]);
                let command = if clean { inherit_nothing(&mut command) } else { &mut command };
                String::from_utf8(command.output().unwrap().stdout).unwrap()
            };
            words(&["grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"]) + &words(&["ls", "/proc/self/fd"])
        };
        let (dirty, clean) = (run(false), run(true));
        before.thread_set_mask().unwrap();
        assert!(dirty.contains("\n100\n") && dirty.contains("SigBlk:\t0000000000004000"), "{dirty}");
        assert!(!clean.contains("\n100\n") && clean.matches("0000000000000000").count() == 2, "{clean}");
    }

    #[tokio::test]
    async fn a_detached_process_is_found_again_and_ended() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sleep.pid");
        let mut command = Command::new("sleep");
        command.arg("60");
        let started = spawn_detached(command, &path).unwrap();
        let found = Identity::read(&path).unwrap().unwrap();
        assert_eq!(found, started);
        assert!(found.is_alive());
        assert_eq!(nix::unistd::getsid(Some(nix::unistd::Pid::from_raw(found.pid))).unwrap().as_raw(), found.pid);
        found.signal(Signal::KILL).unwrap();
        found.ended().await.unwrap();
        assert!(!found.is_alive());
    }

    #[tokio::test]
    async fn a_missing_program_leaves_no_pid_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.pid");
        assert!(spawn_detached(Command::new("/nowhere/program"), &path).is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
