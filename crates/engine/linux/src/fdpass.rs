//! File descriptors over unix sockets (`SCM_RIGHTS`, unix(7)).

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::cmsg_space;
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg};
use tokio::io::Interest;
use tokio::net::UnixStream;

/// Most descriptors in one message.
pub const MOST: usize = 16;

/// Sends `bytes` (not empty) with `fds` as one message. Returns how many bytes went; the
/// descriptors go with the first.
///
/// # Errors
/// As sendmsg(2); more than [`MOST`] descriptors, or no bytes, are `InvalidInput`.
pub fn send(socket: BorrowedFd<'_>, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<usize> {
    if bytes.is_empty() || fds.len() > MOST {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let raw: Vec<_> = fds.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&raw)];
    let control = if raw.is_empty() { &rights[..0] } else { &rights[..] };
    Ok(sendmsg::<()>(socket.as_raw_fd(), &[IoSlice::new(bytes)], control, MsgFlags::MSG_NOSIGNAL, None)?)
}

/// Receives into `buffer`: how many bytes came (0: the other end closed), and descriptors, which
/// are closed on exec.
///
/// # Errors
/// As recvmsg(2); a message whose descriptors were cut off is `InvalidData`.
pub fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut space = cmsg_space!([i32; MOST]);
    let mut iov = [IoSliceMut::new(buffer)];
    let message = recvmsg::<()>(socket.as_raw_fd(), &mut iov, Some(&mut space), MsgFlags::MSG_CMSG_CLOEXEC)?;
    let mut fds = Vec::new();
    for part in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(raw) = part {
            fds.extend(raw.into_iter().map(own));
        }
    }
    if message.flags.contains(MsgFlags::MSG_CTRUNC) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok((message.bytes, fds))
}

#[expect(unsafe_code, reason = "a descriptor number becomes an owned descriptor")]
fn own(fd: i32) -> OwnedFd {
    // SAFETY: the kernel just made this descriptor for this process, in recvmsg; nobody else has it.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// [`send`] on a tokio stream: waits until all `bytes` went.
///
/// # Errors
/// As [`send`].
pub async fn send_all(stream: &UnixStream, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    use std::os::fd::AsFd;
    let mut sent = 0;
    while sent < bytes.len() || sent == 0 {
        let fds = if sent == 0 { fds } else { &[] };
        sent += stream.async_io(Interest::WRITABLE, || send(stream.as_fd(), &bytes[sent..], fds)).await?;
    }
    Ok(())
}

/// [`receive`] on a tokio stream: waits for something to come.
///
/// # Errors
/// As [`receive`].
pub async fn receive_some(stream: &UnixStream, buffer: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
    use std::os::fd::AsFd;
    stream.async_io(Interest::READABLE, || receive(stream.as_fd(), buffer)).await
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::io::Write;
    use std::os::fd::AsFd;

    #[tokio::test]
    async fn a_descriptor_crosses_and_works() {
        let (left, right) = tokio::net::UnixStream::pair().unwrap();
        let (mut reader, writer) = std::io::pipe().unwrap();
        super::send_all(&left, b"take", &[writer.as_fd()]).await.unwrap();
        drop(writer);
        let mut buffer = [0; 16];
        let (n, mut fds) = super::receive_some(&right, &mut buffer).await.unwrap();
        assert_eq!((&buffer[..n], fds.len()), (&b"take"[..], 1));
        let mut writer = std::fs::File::from(fds.remove(0));
        writer.write_all(b"through").unwrap();
        drop(writer);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "through");
    }

    #[tokio::test]
    async fn a_closed_end_gives_no_bytes() {
        let (left, right) = tokio::net::UnixStream::pair().unwrap();
        drop(left);
        let (n, fds) = super::receive_some(&right, &mut [0; 4]).await.unwrap();
        assert_eq!((n, fds.len()), (0, 0));
    }
}
