//! An AWS door on a free loopback port.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use eksile_aws::{BODY_LIMIT, Door, Vantage};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A door that serves plain HTTP until it is dropped.
#[derive(Debug)]
pub struct AwsServer {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl AwsServer {
    /// Serves on a free port of the loopback interface.
    ///
    /// # Panics
    /// When there is none.
    pub async fn start(door: Arc<Door>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free loopback port");
        let address = listener.local_addr().expect("the listener's address");
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let door = door.clone();
                let service = service_fn(move |request| answer(door.clone(), request));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { address, task }
    }

    /// `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for AwsServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(door: Arc<Door>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    // One byte too many is enough for the door to refuse it.
    let body = match Limited::new(body, BODY_LIMIT + 1).collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => Bytes::from(vec![0; BODY_LIMIT + 1]),
    };
    Ok(door.handle(Request::from_parts(parts, body), Vantage::host()).await.map(Full::new))
}
