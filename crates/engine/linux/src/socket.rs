//! Sockets made in a place and used from anywhere, and the end of a listener that accepts.

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::time::Duration;

use tokio::net::{TcpSocket, TcpStream, UnixListener, UnixStream};

use crate::{Error, Namespace};

/// A listener bound in `place`, non-blocking, ready for `tokio::net::TcpListener::from_std`.
///
/// # Errors
/// When the place cannot be entered or the address cannot be bound there.
pub fn tcp_listener(place: &Namespace, address: SocketAddr) -> Result<TcpListener, Error> {
    place
        .enter(|| {
            let listener = TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            Ok(listener)
        })?
        .map_err(Error::at::<std::io::Error>(format!("listen on {address} in {}", place.path().display())))
}

/// A datagram socket bound in `place`, non-blocking, ready for `tokio::net::UdpSocket::from_std`.
///
/// # Errors
/// As [`tcp_listener`].
pub fn udp_socket(place: &Namespace, address: SocketAddr) -> Result<UdpSocket, Error> {
    place
        .enter(|| {
            let socket = UdpSocket::bind(address)?;
            socket.set_nonblocking(true)?;
            Ok(socket)
        })?
        .map_err(Error::at::<std::io::Error>(format!("bind {address} in {}", place.path().display())))
}

/// Connects from `place`. Only making the socket happens there; the wait is the runtime's.
/// There is no time limit: the caller sets one.
///
/// # Errors
/// When the place cannot be entered, or as connect(2).
pub async fn tcp_connect(place: &Namespace, address: SocketAddr) -> Result<TcpStream, Error> {
    let what = format!("connect to {address} from {}", place.path().display());
    let socket = place
        .enter(|| if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() })?
        .map_err(Error::at::<std::io::Error>(what.as_str()))?;
    socket.connect(address).await.map_err(Error::at(what))
}

/// Pause after a failed accept(2), which would fail again at once: most likely this process is out of descriptors.
const PAUSE: Duration = Duration::from_millis(50);

/// The next caller. It fails never: what accept(2) refuses is logged, and tried again. Small writes go out at once
/// (`TCP_NODELAY`).
pub async fn accept(listener: &tokio::net::TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, caller)) => {
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, %caller, "TCP_NODELAY");
                }
                return (stream, caller);
            }
            Err(error) => tracing::warn!(%error, listener = ?listener.local_addr(), "accepting"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// As [`accept`], on a Unix socket.
pub async fn accept_unix(listener: &UnixListener) -> UnixStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) => tracing::warn!(%error, listener = ?listener.local_addr(), "accepting"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}
