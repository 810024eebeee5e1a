//! A door on a free port of loopback, with two accounts, their default VPCs and an Outpost.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use eksile_aws::{CountedMint, Door, SystemMint, Vantage};
use eksile_base::Clock;
use eksile_iam::IamDirectory;
use eksile_store::{Scope, Store};
use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub(crate) const REGION: &str = "us-west-2";
pub(crate) const ACCOUNT: &str = "111122223333";
pub(crate) const OTHER_ACCOUNT: &str = "444455556666";
pub(crate) const OUTPOST: &str = "op-0123456789abcdef0";

/// A request and its answer, as texts.
#[derive(Debug, Clone)]
pub(crate) struct Exchange {
    pub(crate) request: String,
    pub(crate) status: u16,
    pub(crate) answer: String,
}

pub(crate) struct Server {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    address: SocketAddr,
    exchanges: Arc<Mutex<Vec<Exchange>>>,
    task: JoinHandle<()>,
}

/// A task that ends with the test.
pub(crate) struct Guard(pub(crate) Vec<JoinHandle<()>>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    pub(crate) async fn start() -> Self {
        let store = Store::in_memory();
        let clock = Clock::manual(Timestamp::now());
        seed(&store, &clock).await;
        let services = vec![
            &eksile_ec2::SERVICE,
            &eksile_eks::SERVICE,
            &eksile_outposts::SERVICE,
            &eksile_iam::SERVICE,
            &eksile_iam::sts::SERVICE,
        ];
        let door = Door::new("us-west-2", services, store.clone(), clock.clone(), Arc::new(IamDirectory::default()));
        let door = Arc::new(door.with_mint(Arc::new(CountedMint::default())));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let exchanges = Arc::new(Mutex::new(Vec::new()));
        let task = tokio::spawn(serve(listener, door, Arc::clone(&exchanges)));
        Self { store, clock, address, exchanges, task }
    }

    pub(crate) fn exchanges(&self) -> Vec<Exchange> {
        self.exchanges.lock().expect("not poisoned").clone()
    }

    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL", format!("http://{}", self.address)),
            ("AWS_ACCESS_KEY_ID", "AKIATEST000000000001".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "secret-1".to_owned()),
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_DEFAULT_REGION", REGION.to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ("AWS_PAGER", String::new()),
            ("AWS_MAX_ATTEMPTS", "1".to_owned()),
            ("OTHER_ACCESS_KEY_ID", "AKIATEST000000000002".to_owned()),
            ("OTHER_SECRET_ACCESS_KEY", "secret-2".to_owned()),
            ("OUTPOST_ARN", format!("arn:aws:outposts:{REGION}:{ACCOUNT}:outpost/{OUTPOST}")),
        ]
    }

    /// The Region's reconcilers.
    pub(crate) fn reconcile(&self) -> Guard {
        Guard(vec![
            tokio::spawn(eksile_ec2::reconcile::run(self.store.clone(), self.clock.clone())),
            tokio::spawn(eksile_eks::reconcile::run(self.store.clone(), self.clock.clone())),
        ])
    }
}

async fn seed(store: &Store, clock: &Clock) {
    let now = clock.now();
    let keys = [(ACCOUNT, "AKIATEST000000000001", "secret-1"), (OTHER_ACCOUNT, "AKIATEST000000000002", "secret-2")];
    let seeded = store.write(move |txn| {
        for (account, id, secret) in keys {
            eksile_iam::seed(txn, &SystemMint, now, account, Some((id.to_owned(), secret.to_owned())))
                .expect("readable");
            eksile_ec2::seed(txn, &Scope::new(account, REGION)).expect("seeded");
        }
        eksile_outposts::seed(txn, &Scope::new(ACCOUNT, REGION), OUTPOST, ("us-west-2a", "usw2-az1"))
    });
    seeded.await.expect("seeded");
}

async fn serve(listener: TcpListener, door: Arc<Door>, exchanges: Arc<Mutex<Vec<Exchange>>>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        let (door, exchanges) = (Arc::clone(&door), Arc::clone(&exchanges));
        tokio::spawn(async move {
            let answer = service_fn(move |request| answer(Arc::clone(&door), Arc::clone(&exchanges), request));
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
        });
    }
}

async fn answer(
    door: Arc<Door>,
    exchanges: Arc<Mutex<Vec<Exchange>>>,
    request: http::Request<hyper::body::Incoming>,
) -> Result<http::Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.expect("a whole request").to_bytes();
    let shown = format!("{} {}\n{}", parts.method, parts.uri, String::from_utf8_lossy(&body));
    let response = door.handle(http::Request::from_parts(parts, body), Vantage::host()).await;
    exchanges.lock().expect("not poisoned").push(Exchange {
        request: shown,
        status: response.status().as_u16(),
        answer: String::from_utf8_lossy(response.body()).into_owned(),
    });
    Ok(response.map(Full::new))
}
