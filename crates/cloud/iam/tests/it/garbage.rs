//! Every operation with parameters of any other: an answer, never a failure inside.

use std::collections::BTreeSet;
use std::sync::Arc;

use eksile_aws::{Door, SystemMint, Vantage};
use eksile_base::Clock;
use eksile_iam::IamDirectory;
use eksile_kit::Signer;
use eksile_store::Store;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};

use crate::world::{ACCOUNT, KEY};

#[test]
fn no_parameters_break_an_operation() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (store, clock) = (Store::in_memory(), Clock::manual("2026-01-02T03:04:05Z".parse().unwrap()));
    let key = Some((KEY.0.to_owned(), KEY.1.to_owned()));
    runtime.block_on(store.write(|txn| eksile_iam::seed(txn, &SystemMint, clock.now(), ACCOUNT, key))).unwrap();
    let services = vec![&eksile_iam::SERVICE, &eksile_iam::sts::SERVICE];
    let door = Door::new("us-west-2", services.clone(), store, clock.clone(), Arc::new(IamDirectory::default()));

    let operations: Vec<(&str, &str, &str)> = services
        .iter()
        .flat_map(|service| service.operations.iter().map(|one| (service.name, service.version, one.name())))
        .collect();
    let goldens = include_str!("goldens.txt");
    let pairs: BTreeSet<(&str, &str)> = goldens
        .lines()
        .filter_map(|line| line.strip_prefix("> "))
        .flat_map(|line| line.split('&').skip(1))
        .filter_map(|pair| pair.split_once('='))
        .collect();
    let names: Vec<&str> = pairs.iter().map(|(name, _)| *name).collect::<BTreeSet<_>>().into_iter().collect();
    let values: Vec<&str> = pairs.iter().map(|(_, value)| *value).collect::<BTreeSet<_>>().into_iter().collect();
    let value = prop_oneof![3 => select(values).prop_map(str::to_owned), 1 => "[a-z0-9:/*%+.-]{0,12}"];
    let parameters = proptest::collection::btree_map(select(names), value, 0..7);
    // The user that signs must stay able to.
    let harmless =
        |name: &str| !matches!(name, "DeleteAccessKey" | "UpdateAccessKey" | "DetachUserPolicy" | "PutUserPolicy");
    let operations: Vec<_> = operations.into_iter().filter(|(_, _, name)| harmless(name)).collect();

    let mut runner = TestRunner::new(Config { cases: 3_000, failure_persistence: None, ..Config::default() });
    let run = runner.run(&(select(operations), parameters), |((service, version, name), parameters)| {
        let form: String = parameters.iter().map(|(name, value)| format!("&{name}={value}")).collect();
        let signer = Signer { access_key_id: KEY.0, secret: KEY.1, service, region: "us-west-2" };
        let body = format!("Action={name}{form}&Version={version}");
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        let request = signer.post_at(clock.now_wall(), &headers, &body);
        let response = runtime.block_on(door.handle(request, Vantage::host()));
        prop_assert!(matches!(response.status().as_u16(), 200..=499 | 501), "{body}: {response:?}");
        prop_assert!(
            response.status() != 403 || name == "AssumeRole" || body.contains("policy"),
            "{body}: {response:?}"
        );
        Ok(())
    });
    run.unwrap();
}
