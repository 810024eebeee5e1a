//! Filters of system calls (seccomp(2)), and the capabilities that setting one needs.

use std::io;

use nix::libc;

use crate::Error;

/// One instruction of a filter, as the kernel has it (`struct sock_filter` of linux/filter.h).
pub use nix::libc::sock_filter as Instruction;

/// Sets a filter on the calling thread, for good, and on what it starts. Needs `CAP_SYS_ADMIN` or `no_new_privs`.
///
/// # Errors
/// When the kernel refuses: the filter is malformed or longer than 4096 instructions, or may not be set.
#[expect(unsafe_code, reason = "a system call without a wrapper")]
pub fn set_filter(filter: &[Instruction]) -> Result<(), Error> {
    let refused = |error: io::Error| Error::at("set a filter of system calls")(error);
    let length = u16::try_from(filter.len()).map_err(|_| refused(io::ErrorKind::InvalidInput.into()))?;
    let program = libc::sock_fprog { len: length, filter: filter.as_ptr().cast_mut() };
    // SAFETY: the kernel copies the program, which outlives the call and has as many instructions as it says, and
    // writes nothing into it.
    let done = unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program) };
    if done == 0 { Ok(()) } else { Err(refused(io::Error::last_os_error())) }
}
