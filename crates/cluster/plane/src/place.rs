//! Sockets in a network namespace: made there, used from here.

use std::net::SocketAddr;
use std::path::Path;

use eksile_linux::{Namespace, socket};
use tokio::net::{TcpListener, TcpStream};

/// A place could not be used.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// A socket of this process.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// A socket of a namespace.
    #[error(transparent)]
    Namespace(#[from] eksile_linux::Error),
}

/// Listens, in a namespace when one is given.
pub(crate) async fn listen(netns: Option<&Path>, address: SocketAddr) -> Result<TcpListener, PlaceError> {
    match netns {
        None => Ok(TcpListener::bind(address).await?),
        Some(path) => Ok(TcpListener::from_std(socket::tcp_listener(&Namespace::at(path), address)?)?),
    }
}

/// Connects, from a namespace when one is given. The caller sets the time limit.
pub(crate) async fn connect(netns: Option<&Path>, address: SocketAddr) -> Result<TcpStream, PlaceError> {
    match netns {
        None => Ok(TcpStream::connect(address).await?),
        Some(path) => Ok(socket::tcp_connect(&Namespace::at(path), address).await?),
    }
}
