//! HTTP in front of the AWS door and the registry.

use std::{convert::Infallible, sync::Arc};

use bytes::Bytes;
use eksile_aws::{BODY_LIMIT, Door, Place, Vantage};
use eksile_gate::{
    Gate, Limits, Pass,
    body::{self, Paced, Room, Unread},
};
use eksile_registry::Registry;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, combinators::BoxBody};
use hyper::body::Incoming;
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
    /// Memory for the bodies of requests to the door.
    pub bodies: Room,
}

impl Endpoints {
    /// Serves plain connections for ever.
    pub(super) async fn plain(self, listener: TcpListener, place: Place) {
        let gate = Gate::new("AWS door", Limits::default());
        loop {
            let (stream, peer, pass) = gate.accept(&listener).await;
            let vantage = Vantage { place, address: Some(peer.ip()), tls: false };
            tokio::spawn(self.clone().converse(stream, pass, vantage));
        }
    }

    /// Serves TLS connections from the fabric for ever.
    pub(super) async fn encrypted(self, listener: TcpListener, tls: TlsAcceptor) {
        let gate = Gate::new("AWS door from the fabric", Limits::default());
        loop {
            let (stream, peer, pass) = gate.accept(&listener).await;
            let (endpoints, tls) = (self.clone(), tls.clone());
            tokio::spawn(async move {
                let vantage = Vantage { place: Place::Fabric, address: Some(peer.ip()), tls: true };
                match pass.handshake(tls.accept(stream)).await {
                    Ok(Ok(stream)) => endpoints.converse(stream, pass, vantage).await,
                    Ok(Err(error)) => tracing::debug!(%error, %peer, "no TLS"),
                    Err(left) => tracing::debug!(?left, %peer, "no TLS in time"),
                }
            });
        }
    }

    async fn converse<S>(self, stream: S, pass: Pass, vantage: Vantage)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let answer = move |request| {
            let (endpoints, vantage) = (self.clone(), vantage.clone());
            async move { endpoints.answer(request, vantage).await }
        };
        eksile_gate::http(pass, stream, answer).await;
    }

    async fn answer(&self, request: Request<Incoming>, vantage: Vantage) -> Response<Body> {
        if request.uri().path() == "/v2" || request.uri().path().starts_with("/v2/") {
            let answered = self.registry.handle(request.map(Paced::new), &vantage).await;
            return answered.map(http_body_util::BodyExt::boxed);
        }
        let (parts, body) = request.into_parts();
        let mut room = None;
        let body = match body::whole(&parts, body, BODY_LIMIT, &self.bodies, &mut room).await {
            Ok(body) => body,
            // One byte over the limit: the door refuses it in the service's own words.
            Err(Unread::Long) => Bytes::from(vec![0; BODY_LIMIT + 1]),
            // Part of a request is none. Its sender, if it is still there, may send it again.
            Err(Unread::Broken) => return refusal(StatusCode::BAD_REQUEST),
            Err(Unread::Slow) => return refusal(StatusCode::REQUEST_TIMEOUT),
            Err(Unread::NoRoom) => return refusal(StatusCode::SERVICE_UNAVAILABLE),
        };
        let response = self.door.handle(Request::from_parts(parts, body), vantage).await;
        response.map(|body| Full::new(body).map_err(|never: Infallible| match never {}).boxed())
    }
}

fn refusal(status: StatusCode) -> Response<Body> {
    let nothing = Full::default().map_err(|never: Infallible| match never {}).boxed();
    let mut refusal = Response::new(nothing);
    *refusal.status_mut() = status;
    refusal
}
