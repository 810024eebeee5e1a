//! Children that are copies of this process, for what a process can only do to itself and only alone: entering a user
//! namespace (setns(2)), being the first of a PID namespace.

use std::fs;
use std::io::{self, PipeWriter, Read};
use std::os::fd::AsRawFd;

use nix::libc;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Pid, fork};

use crate::Error;

/// Runs `f` in a copy of this process, which ends with what `f` answers as its status. Answers the child's process id,
/// as this process's PID namespace has it; nobody but the caller collects it.
///
/// # Errors
/// When this process has more than one thread: a lock that another thread holds would stay locked in the copy.
#[expect(unsafe_code, reason = "fork")]
pub fn copy(f: impl FnOnce() -> u8) -> Result<i32, Error> {
    let threads = fs::read_dir("/proc/self/task").map_err(Error::at("count threads"))?.count();
    if threads != 1 {
        return Err(Error::Malformed(format!("a copy of a process with {threads} threads")));
    }
    // SAFETY: there is one thread, so no lock is held by another and all of memory is as this thread left it.
    match unsafe { fork() }.map_err(Error::at("fork"))? {
        ForkResult::Parent { child } => Ok(child.as_raw()),
        ForkResult::Child => {
            let status = f();
            // SAFETY: ends this process at once: no handlers, no buffers of the parent's are written twice.
            unsafe { libc::_exit(i32::from(status)) }
        }
    }
}

/// A child that did one thing to itself and waits; it ends when this is dropped, or with this process.
#[derive(Debug)]
pub(crate) struct Paused {
    pid: Pid,
    _held: PipeWriter,
}

impl Paused {
    pub(crate) fn pid(&self) -> i32 {
        self.pid.as_raw()
    }
}

impl Drop for Paused {
    fn drop(&mut self) {
        // It may be collected already where a process collects every child; then there is nothing to do.
        let _ended = kill(self.pid, Signal::SIGKILL);
        let _collected = waitpid(self.pid, None);
    }
}

/// Starts a child that runs `f` and then waits. `f` must do system calls only, as between fork and exec: other threads
/// of this process may hold any lock at this moment.
#[expect(unsafe_code, reason = "fork")]
pub(crate) fn paused(f: impl FnOnce() -> nix::Result<()>) -> io::Result<Paused> {
    let (mut report, reported) = io::pipe()?;
    let (waits, held) = io::pipe()?;
    // SAFETY: until it ends the child makes system calls on descriptors and memory of its own copy only.
    match unsafe { fork() }? {
        ForkResult::Parent { child } => {
            drop(reported);
            let child = Paused { pid: child, _held: held };
            let mut errno = [0; 4];
            report.read_exact(&mut errno)?;
            match i32::from_ne_bytes(errno) {
                0 => Ok(child),
                errno => Err(io::Error::from_raw_os_error(errno)),
            }
        }
        ForkResult::Child => {
            let errno = f().map_or_else(|error| error as i32, |()| 0).to_ne_bytes();
            // SAFETY: plain system calls; the descriptors are this process's own copies. Its starter's end of the second
            // pipe is closed here, so the read below ends when the starter does.
            unsafe {
                libc::close(held.as_raw_fd());
                libc::write(reported.as_raw_fd(), errno.as_ptr().cast(), errno.len());
                let mut byte = 0_u8;
                libc::read(waits.as_raw_fd(), (&raw mut byte).cast(), 1);
                libc::_exit(0)
            }
        }
    }
}
