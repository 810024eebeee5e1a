//! Filters of the describe operations, asked through the door in an account that has nothing.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use eksile_aws::{Door, SystemMint, Vantage};
use eksile_base::Clock;
use eksile_iam::IamDirectory;
use eksile_kit::Signer;
use eksile_store::Store;

const KEY: (&str, &str) = ("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");

struct World {
    door: Door,
    clock: Clock,
}

impl World {
    async fn start() -> Self {
        let (store, clock) = (Store::in_memory(), Clock::manual(jiff::Timestamp::now()));
        let key = Some((KEY.0.to_owned(), KEY.1.to_owned()));
        store.write(|txn| eksile_iam::seed(txn, &SystemMint, clock.now(), "111122223333", key)).await.unwrap();
        let door =
            Door::new("us-west-2", vec![&eksile_ec2::SERVICE], store, clock.clone(), Arc::new(IamDirectory::default()));
        Self { door, clock }
    }

    /// Status and body.
    async fn ask(&self, parameters: &str) -> (u16, String) {
        let signer = Signer { access_key_id: KEY.0, secret: KEY.1, service: "ec2", region: "us-west-2" };
        let form = [("content-type", "application/x-www-form-urlencoded; charset=utf-8")];
        let body = format!("{parameters}&Version=2016-11-15");
        let response = self.door.handle(signer.post_at(self.clock.now_wall(), &form, &body), Vantage::host()).await;
        (response.status().as_u16(), String::from_utf8(response.body().to_vec()).unwrap())
    }
}

/// The operations that take filters, with the name of one that each has.
fn filtering() -> impl Iterator<Item = (&'static str, &'static str)> {
    let names = eksile_ec2::SERVICE.operations.iter().map(eksile_aws::Operation::name);
    names.filter(|name| name.starts_with("Describe") && !name.ends_with("Attribute")).map(|name| {
        let known = match name {
            "DescribeAvailabilityZones" => "zone-name",
            "DescribeLocalGateways" => "outpost-arn",
            "DescribeInstanceTypes" => "instance-type",
            "DescribeRegions" => "region-name",
            // Whoever adds one with filters of tags is tested at once, others must say which they have.
            _ => "tag:Name",
        };
        (name, known)
    })
}

#[tokio::test]
async fn an_unknown_filter_is_refused_even_where_there_is_nothing() {
    let world = World::start().await;
    for (operation, known) in filtering() {
        let (status, body) = world.ask(&format!("Action={operation}&Filter.1.Name={known}&Filter.1.Value.1=x")).await;
        assert_eq!(status, 200, "{operation}: {body}");
        let two = format!("Filter.1.Name={known}&Filter.1.Value.1=x&Filter.2.Name=colour&Filter.2.Value.1=red");
        let (status, body) = world.ask(&format!("Action={operation}&{two}")).await;
        assert_eq!(status, 400, "{operation}: {body}");
        assert!(body.contains("<Code>InvalidParameterValue</Code>"), "{operation}: {body}");
        assert!(body.contains("<Message>The filter 'colour' is invalid</Message>"), "{operation}: {body}");
    }
    assert!(filtering().count() > 10);
}
