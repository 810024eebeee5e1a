//! A door with two accounts.

use std::sync::Arc;

use eksile_aws::{Door, SystemMint};
use eksile_base::Clock;
use eksile_iam::IamDirectory;
use eksile_kit::{AwsCli, AwsServer};
use eksile_store::Store;

pub(crate) const ACCOUNT: &str = "111122223333";
pub(crate) const OTHER: &str = "444455556666";
pub(crate) const KEY: (&str, &str) = ("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
pub(crate) const OTHER_KEY: (&str, &str) = ("AKIAI44QH8DHBEXAMPLE", "je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY");

pub(crate) struct World {
    pub(crate) door: Arc<Door>,
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    server: AwsServer,
}

impl World {
    pub(crate) async fn start() -> Self {
        let (store, clock) = (Store::in_memory(), Clock::manual(jiff::Timestamp::now()));
        for (account, (id, secret)) in [(ACCOUNT, KEY), (OTHER, OTHER_KEY)] {
            let key = Some((id.to_owned(), secret.to_owned()));
            let seeded =
                store.write(|txn| eksile_iam::seed(txn, &SystemMint, clock.now(), account, key)).await.unwrap();
            assert_eq!(seeded.value.0, id);
        }
        let services = vec![&eksile_iam::SERVICE, &eksile_iam::sts::SERVICE];
        let door =
            Arc::new(Door::new("us-west-2", services, store.clone(), clock.clone(), Arc::new(IamDirectory::default())));
        let server = AwsServer::start(door.clone()).await;
        Self { door, store, clock, server }
    }

    pub(crate) fn url(&self) -> String {
        self.server.url()
    }

    pub(crate) fn admin(&self) -> AwsCli {
        AwsCli::new(&self.url(), KEY.0, KEY.1)
    }

    pub(crate) fn stranger(&self) -> AwsCli {
        AwsCli::new(&self.url(), OTHER_KEY.0, OTHER_KEY.1)
    }
}
