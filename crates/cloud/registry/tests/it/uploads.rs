//! How many uploads an account may have at once, whatever way they come in.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use eksile_aws::Vantage;
use http::Request;
use http_body::Frame;
use http_body_util::StreamBody;
use tokio::task::JoinSet;

use crate::world::{ACCOUNT, OTHER, World};

/// What one account may have at once.
const SHARE: usize = 256;
const DIGEST: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

/// Requests whose bodies never end: each counts itself once its first byte was taken.
#[derive(Default)]
struct Waiting {
    requests: JoinSet<u16>,
    taken: Arc<AtomicUsize>,
}

impl Waiting {
    fn send(&mut self, world: &Arc<World>, login: &str, method: &str, path: &str) {
        let (taken, mut polled) = (self.taken.clone(), 0);
        let body = futures::stream::poll_fn(move |_| {
            polled += 1;
            match polled {
                1 => Poll::Ready(Some(Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"x"))))),
                _ => {
                    taken.fetch_add(usize::from(polled == 2), Ordering::SeqCst);
                    Poll::Pending
                }
            }
        });
        let request = Request::builder().method(method).uri(path).header("host", "127.0.0.1:4566");
        let request = request.header("authorization", login).body(StreamBody::new(body)).unwrap();
        let world = world.clone();
        self.requests.spawn(async move { world.registry.handle(request, &Vantage::host()).await.status().as_u16() });
    }

    /// Until the first byte of each was taken.
    async fn settled(&self, sent: usize) {
        let all = async {
            while self.taken.load(Ordering::SeqCst) < sent {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), all).await.expect("every body is read");
    }
}

/// A blob that is pushed in one request is an upload as others are.
#[tokio::test]
async fn attack_pushes_in_one_request_without_end() {
    let world = Arc::new(World::start().await);
    let flood = world.repository(ACCOUNT, "app").await;
    let other = world.repository(OTHER, "theirs").await;
    let whole = format!("/v2/app/blobs/uploads/?digest={DIGEST}");
    let mut waiting = Waiting::default();
    (0..SHARE).for_each(|_| waiting.send(&world, &flood, "POST", &whole));
    waiting.settled(SHARE).await;
    let begun = world.send(&flood, "POST", "/v2/app/blobs/uploads/", b"").await;
    assert_eq!(begun.status, 400, "none begins besides");
    let one_more = world.send(&flood, "POST", &whole, b"bytes").await;
    assert_eq!(one_more.code(), "BLOB_UPLOAD_INVALID", "nor another of the kind");
    let theirs = world.send(&other, "POST", "/v2/theirs/blobs/uploads/", b"").await;
    assert_eq!(theirs.status, 202, "another account's is taken");
    // Who goes away gives the places back.
    waiting.requests.shutdown().await;
    assert_eq!(world.send(&flood, "POST", "/v2/app/blobs/uploads/", b"").await.status, 202);
}

/// An account's uploads are its own, also while a chunk comes in; and one counts until its last chunk is in.
#[tokio::test]
async fn attack_chunks_that_never_end_stop_other_accounts() {
    for (method, query) in [("PATCH", String::new()), ("PUT", format!("?digest={DIGEST}"))] {
        let world = Arc::new(World::start().await);
        let flood = world.repository(ACCOUNT, "app").await;
        let other = world.repository(OTHER, "theirs").await;
        let mut waiting = Waiting::default();
        for _ in 0..SHARE {
            let begun = world.send(&flood, "POST", "/v2/app/blobs/uploads/", b"").await;
            let location = begun.header("location").to_owned();
            waiting.send(&world, &flood, method, &format!("{location}{query}"));
        }
        waiting.settled(SHARE).await;
        let theirs = world.send(&other, "POST", "/v2/theirs/blobs/uploads/", b"").await;
        assert_eq!(theirs.status, 202, "{method}: another account's is taken");
        let own = world.send(&flood, "POST", "/v2/app/blobs/uploads/", b"").await;
        assert_eq!(own.status, 400, "{method}: one more of its own is not");
        waiting.requests.shutdown().await;
    }
}
