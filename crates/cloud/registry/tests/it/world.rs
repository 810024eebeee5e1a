//! A door and a registry with two accounts.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use eksile_aws::{Directory, Door, SystemMint, Vantage};
use eksile_base::Clock;
use eksile_iam::IamDirectory;
use eksile_kit::{AwsCli, AwsServer, Signer};
use eksile_registry::Registry;
use eksile_store::Store;
use http::{HeaderMap, Request};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use tempfile::TempDir;

pub(crate) const ACCOUNT: &str = "111122223333";
pub(crate) const OTHER: &str = "444455556666";

pub(crate) struct World {
    pub(crate) door: Arc<Door>,
    pub(crate) registry: Registry,
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) dir: TempDir,
    server: AwsServer,
}

impl World {
    pub(crate) async fn start() -> Self {
        let (store, clock) = (Store::in_memory(), Clock::manual(jiff::Timestamp::now()));
        for account in [ACCOUNT, OTHER] {
            let key = Some((format!("AKIA{account}0000"), "secret".to_owned()));
            store.write(|txn| eksile_iam::seed(txn, &SystemMint, clock.now(), account, key)).await.unwrap();
        }
        let directory: Arc<dyn Directory> = Arc::new(IamDirectory::default());
        let services = vec![&eksile_registry::SERVICE, &eksile_iam::SERVICE, &eksile_iam::sts::SERVICE];
        let door = Arc::new(Door::new("us-west-2", services, store.clone(), clock.clone(), directory.clone()));
        let server = AwsServer::start(door.clone()).await;
        let dir = TempDir::new().unwrap();
        let blobs = dir.path().join("blobs");
        let registry = Registry::open(blobs, store.clone(), clock.clone(), directory).unwrap();
        Self { door, registry, store, clock, dir, server }
    }

    /// The registry after a restart.
    pub(crate) fn reopened(&self) -> Registry {
        let blobs = self.dir.path().join("blobs");
        Registry::open(blobs, self.store.clone(), self.clock.clone(), Arc::new(IamDirectory::default())).unwrap()
    }

    pub(crate) fn caller(&self, account: &str) -> AwsCli {
        AwsCli::new(&self.server.url(), &format!("AKIA{account}0000"), "secret")
    }

    pub(crate) fn url(&self) -> String {
        self.server.url()
    }

    /// One ECR operation, signed by the account's `admin`.
    pub(crate) async fn ecr(&self, account: &str, operation: &str, body: &str) -> serde_json::Value {
        let key = format!("AKIA{account}0000");
        let signer = Signer { access_key_id: &key, secret: "secret", service: "ecr", region: "us-west-2" };
        let request = signer.json(&format!("AmazonEC2ContainerRegistry_V20150921.{operation}"), body);
        let response = self.door.handle(request, Vantage::host()).await;
        serde_json::from_slice(response.body()).unwrap()
    }

    /// One IAM operation, signed by the account's `admin`.
    pub(crate) async fn iam(&self, account: &str, form: &str) -> String {
        self.iam_by((&format!("AKIA{account}0000"), "secret"), form).await
    }

    /// One IAM operation, signed with this key; its answer.
    pub(crate) async fn iam_by(&self, key: (&str, &str), form: &str) -> String {
        let signer = Signer { access_key_id: key.0, secret: key.1, service: "iam", region: "us-east-1" };
        let response = self.door.handle(signer.query("2010-05-08", form), Vantage::host()).await;
        assert_eq!(response.status(), 200, "{:?}", response.body());
        String::from_utf8(response.body().to_vec()).unwrap()
    }

    /// Makes a repository, and answers what a login to its registry sends.
    pub(crate) async fn repository(&self, account: &str, name: &str) -> String {
        self.ecr(account, "CreateRepository", &format!(r#"{{"repositoryName":"{name}"}}"#)).await;
        let told = self.ecr(account, "GetAuthorizationToken", "{}").await;
        format!("Basic {}", told["authorizationData"][0]["authorizationToken"].as_str().unwrap())
    }

    pub(crate) async fn send(&self, authorization: &str, method: &str, path: &str, body: &[u8]) -> Answer {
        send(&self.registry, authorization, method, path, &[], body).await
    }
}

/// Status, headers, body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("{name} in {self:?}")).to_str().unwrap()
    }

    pub(crate) fn code(&self) -> String {
        let json: serde_json::Value = serde_json::from_slice(&self.body).unwrap();
        json["errors"][0]["code"].as_str().unwrap().to_owned()
    }
}

/// The body goes in pieces, as from a wire.
pub(crate) async fn send(
    registry: &Registry,
    authorization: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    let own = [("authorization", authorization), ("host", "127.0.0.1:4566")];
    let own = own.iter().filter(|(name, _)| !headers.iter().any(|(given, _)| given == name));
    for (name, value) in headers.iter().chain(own).filter(|(_, value)| !value.is_empty()) {
        request = request.header(*name, *value);
    }
    let pieces: Vec<_> =
        body.chunks(1000).map(|piece| Ok::<_, Infallible>(Frame::data(Bytes::copy_from_slice(piece)))).collect();
    let body = StreamBody::new(futures::stream::iter(pieces));
    let (parts, body) = registry.handle(request.body(body).unwrap(), &Vantage::host()).await.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Answer { status: parts.status.as_u16(), headers: parts.headers, body }
}
