//! Signal dispositions that must not be inherited.

use std::io;

use nix::sys::signal::{SigHandler, Signal, signal};

/// Gives SIGPIPE its default action back. The standard library ignores it in every Rust program, and an ignored signal
/// stays ignored across execve(2): a container's `yes | head` would never end.
///
/// # Errors
/// Never on Linux; the system call's error is passed on.
#[expect(unsafe_code, reason = "changes a signal's disposition")]
pub fn default_broken_pipe() -> io::Result<()> {
    // SAFETY: SIG_DFL installs no handler, so no code of ours can run in signal context.
    unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) }?;
    Ok(())
}
