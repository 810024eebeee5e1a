//! The floor: what the same HTTP and TLS libraries do when nothing is left to do. It answers by path with bytes made
//! beforehand; a body sent to it is read and dropped.

use std::{convert::Infallible, io::Write, path::PathBuf, sync::Arc};

use bytes::Bytes;
use http::{Method, Request, Response, header};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{io::AsyncReadExt, net::TcpListener};
use tokio_rustls::TlsAcceptor;

/// How long its answers are, in bytes.
#[derive(clap::Args, Clone)]
pub(crate) struct Floor {
    /// Folder with `server.crt` and `server.key`.
    #[arg(long)]
    pki: PathBuf,
    /// To a create, or to a GET of a config map.
    #[arg(long)]
    config_map: usize,
    /// To a GET of a pod.
    #[arg(long)]
    pod: usize,
    /// To a LIST of pods.
    #[arg(long)]
    list: usize,
}

struct Answers {
    config_map: Bytes,
    pod: Bytes,
    list: Bytes,
}

impl Floor {
    pub(crate) async fn serve(self) -> anyhow::Result<()> {
        let pair = eksile_pki::read_key_pair(&self.pki, "server")?;
        let tls = TlsAcceptor::from(Arc::new(eksile_pki::server_config(&pair, None, &["http/1.1"])?));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?);
        std::io::stdout().flush()?;
        let bytes = |length| Bytes::from(vec![b'x'; length]);
        let answers =
            Arc::new(Answers { config_map: bytes(self.config_map), pod: bytes(self.pod), list: bytes(self.list) });
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(connection(stream, tls.clone(), answers.clone()));
            }
        });
        // The race is over when it lets go.
        tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
        Ok(())
    }
}

async fn connection(stream: tokio::net::TcpStream, tls: TlsAcceptor, answers: Arc<Answers>) {
    let opened = async {
        stream.set_nodelay(true)?;
        tls.accept(stream).await
    };
    let Ok(stream) = opened.await else { return };
    let service = service_fn(|request| answer(request, &answers));
    // A client that goes away in the midst of a request is its own affair.
    drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
}

async fn answer(request: Request<Incoming>, answers: &Answers) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path();
    let body = match *request.method() {
        Method::POST => &answers.config_map,
        _ if path.ends_with("/pods") => &answers.list,
        _ => &answers.pod,
    };
    let status = if request.method() == Method::POST { 201 } else { 200 };
    let mut response = Response::new(Full::new(body.clone()));
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    drop(request.into_body().collect().await);
    Ok(response)
}
