//! Pseudo terminals.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::libc;
use nix::pty::Winsize;

nix::ioctl_write_ptr_bad!(
    /// Sets a terminal's size.
    set_size, libc::TIOCSWINSZ, Winsize);

/// Gives the terminal behind `master` a size in characters; its foreground processes get SIGWINCH.
///
/// # Errors
/// `ENOTTY` when it is not a terminal.
#[expect(unsafe_code, reason = "an ioctl")]
pub fn resize(master: BorrowedFd<'_>, columns: u16, rows: u16) -> io::Result<()> {
    let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: TIOCSWINSZ reads one winsize through the pointer, which is valid during the call.
    unsafe { set_size(master.as_raw_fd(), &raw const size) }?;
    Ok(())
}
