//! Every operation of IAM and STS, its request and its answer, as text.
//!
//! `goldens.txt` holds requests (`> SERVICE FORM`) and the answers to them. `EKSILE_UPDATE_GOLDENS=1` writes the answers anew.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use eksile_aws::{CountedMint, Door, Vantage};
use eksile_base::Clock;
use eksile_iam::IamDirectory;
use eksile_kit::Signer;
use eksile_store::Store;

use crate::world::{ACCOUNT, KEY};

#[tokio::test]
async fn goldens() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/goldens.txt");
    let kept = std::fs::read_to_string(&path).unwrap();
    let (store, clock) = (Store::in_memory(), Clock::manual("2026-01-02T03:04:05Z".parse().unwrap()));
    let mint = Arc::new(CountedMint::default());
    let key = Some((KEY.0.to_owned(), KEY.1.to_owned()));
    store.write(|txn| eksile_iam::seed(txn, &*mint, clock.now(), ACCOUNT, key)).await.unwrap();
    let services = vec![&eksile_iam::SERVICE, &eksile_iam::sts::SERVICE];
    let door =
        Door::new("us-west-2", services, store, clock.clone(), Arc::new(IamDirectory::default())).with_mint(mint);
    let mut told = String::new();
    for request in kept.lines().filter_map(|line| line.strip_prefix("> ")) {
        let (service, form) = request.split_once(' ').unwrap();
        let version = if service == "iam" { "2010-05-08" } else { "2011-06-15" };
        let signer = Signer { access_key_id: KEY.0, secret: KEY.1, service, region: "us-west-2" };
        let body = format!("{form}&Version={version}");
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        let response = door.handle(signer.post_at(clock.now_wall(), &headers, &body), Vantage::host()).await;
        let answer = std::str::from_utf8(response.body()).unwrap().replace("><", ">\n<");
        writeln!(told, "> {request}\n{}\n{answer}\n", response.status().as_u16()).unwrap();
    }
    if std::env::var_os("EKSILE_UPDATE_GOLDENS").is_some() {
        std::fs::write(&path, told).unwrap();
        return;
    }
    assert_eq!(told, kept, "run again with EKSILE_UPDATE_GOLDENS=1 if the change is meant");
}

/// The list of goldens is complete.
#[test]
fn every_operation_has_a_golden() {
    let kept = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/goldens.txt")).unwrap();
    for service in [&eksile_iam::SERVICE, &eksile_iam::sts::SERVICE] {
        for operation in service.operations {
            let name = format!("> {} Action={}", service.name, operation.name());
            let found = kept.lines().any(|line| line == name || line.starts_with(&format!("{name}&")));
            assert!(found, "no golden begins with {name:?}");
        }
    }
}
