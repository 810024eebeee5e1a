use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::pass::{Busy, Left, Pass};

/// Requests of one HTTP/2 connection at once, as Kubernetes' API server has it.
const STREAMS: u32 = 250;
/// An HTTP/2 connection that says nothing is asked after this time, and has as long to answer.
const ASK: Duration = Duration::from_secs(30);
/// How long a connection that ends may take to say so.
const FAREWELL: Duration = Duration::from_secs(1);

/// Serves HTTP/1.1 and HTTP/2 on a stream until it ends or its pass does. A body that is sent keeps the connection
/// busy; one that is waited for does not ([`crate::Waiting`]).
pub async fn http<S, F, R, B>(pass: Pass, stream: S, answer: F)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    F: Fn(Request<Incoming>) -> R + Send + Sync + 'static,
    R: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let pass = Arc::new(pass);
    let seen = Arc::clone(&pass);
    let service = service_fn(move |mut request: Request<Incoming>| {
        let busy = seen.busy();
        request.extensions_mut().insert(seen.place());
        let answered = answer(request);
        async move { Ok::<_, Infallible>(answered.await.map(|body| Held { body, _busy: busy })) }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    // The pass measures the time of heads; this one is hyper's own, and longer.
    builder.http1().timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(120));
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .keep_alive_interval(Some(ASK))
        .keep_alive_timeout(ASK);
    let mut connection = pin!(builder.serve_connection_with_upgrades(TokioIo::new(stream), service));
    let left = tokio::select! {
        done = connection.as_mut() => {
            if let Err(error) = done {
                tracing::debug!(%error, "a connection ended");
            }
            return;
        }
        left = pass.ended() => left,
    };
    tracing::debug!(?left, "a connection is closed");
    if left == Left::Late {
        connection.as_mut().graceful_shutdown();
        if tokio::time::timeout(FAREWELL, connection).await.is_err() {
            tracing::debug!("a connection did not take its leave");
        }
    }
}

/// A body that keeps its connection busy.
struct Held<B> {
    body: B,
    _busy: Busy,
}

impl<B: Body + Unpin> Body for Held<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
