//! HTTP in front of the AWS door and the registry.

use std::{convert::Infallible, sync::Arc, time::Duration};

use bytes::Bytes;
use eksile_aws::{BODY_LIMIT, Door, Place, Vantage};
use eksile_linux::socket::accept;
use eksile_registry::Registry;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited, combinators::BoxBody};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

type Body = BoxBody<Bytes, std::io::Error>;

/// What the Region's endpoints serve.
#[derive(Clone)]
pub(super) struct Endpoints {
    pub door: Arc<Door>,
    pub registry: Arc<Registry>,
}

impl Endpoints {
    /// Serves plain connections for ever.
    pub(super) async fn plain(self, listener: TcpListener, place: Place) {
        loop {
            let (stream, peer) = accept(&listener).await;
            let vantage = Vantage { place, address: Some(peer.ip()), tls: false };
            tokio::spawn(self.clone().converse(stream, vantage));
        }
    }

    /// Serves TLS connections from the fabric for ever.
    pub(super) async fn encrypted(self, listener: TcpListener, tls: TlsAcceptor) {
        loop {
            let (stream, peer) = accept(&listener).await;
            let (endpoints, tls) = (self.clone(), tls.clone());
            tokio::spawn(async move {
                let vantage = Vantage { place: Place::Fabric, address: Some(peer.ip()), tls: true };
                match tokio::time::timeout(Duration::from_secs(10), tls.accept(stream)).await {
                    Ok(Ok(stream)) => endpoints.converse(stream, vantage).await,
                    Ok(Err(error)) => tracing::debug!(%error, %peer, "no TLS"),
                    Err(_) => tracing::debug!(%peer, "no TLS in time"),
                }
            });
        }
    }

    async fn converse(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, vantage: Vantage) {
        let service = service_fn(move |request| {
            let (endpoints, vantage) = (self.clone(), vantage.clone());
            async move { Ok::<_, Infallible>(endpoints.answer(request, vantage).await) }
        });
        let mut builder = Builder::new(TokioExecutor::new());
        builder.http1().timer(hyper_util::rt::TokioTimer::new()).header_read_timeout(Duration::from_secs(30));
        if let Err(error) = builder.serve_connection(TokioIo::new(stream), service).await {
            tracing::debug!(%error, "a connection ended");
        }
    }

    async fn answer(&self, request: Request<Incoming>, vantage: Vantage) -> Response<Body> {
        if request.uri().path() == "/v2" || request.uri().path().starts_with("/v2/") {
            return self.registry.handle(request, &vantage).await.map(http_body_util::BodyExt::boxed);
        }
        let (parts, body) = request.into_parts();
        let body = match Limited::new(body, BODY_LIMIT + 1).collect().await {
            Ok(body) => body.to_bytes(),
            // One byte over the limit: the door refuses it in the service's own words.
            Err(error) if error.is::<http_body_util::LengthLimitError>() => Bytes::from(vec![0; BODY_LIMIT + 1]),
            Err(error) => {
                // Part of a request is none. Its sender, if it is still there, may send it again.
                tracing::debug!(%error, "a body did not come whole");
                let nothing = Full::default().map_err(|never: Infallible| match never {}).boxed();
                let mut refusal = Response::new(nothing);
                *refusal.status_mut() = StatusCode::BAD_REQUEST;
                return refusal;
            }
        };
        let response = self.door.handle(Request::from_parts(parts, body), vantage).await;
        response.map(|body| Full::new(body).map_err(|never: Infallible| match never {}).boxed())
    }
}
