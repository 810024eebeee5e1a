//! What an operation cannot tell the policies of a call is no reason to ask about less.

use eksile_aws::shape::{Case, Tree};
use eksile_aws::{Call, Caller, CountedMint, Fault, Reads, Service, Vantage};
use eksile_ec2::records::MetadataDefaults;
use eksile_store::{Scope, Store};
use jiff::Timestamp;

use crate::world::{ACCOUNT, REGION};

/// The faults in what a call would ask.
fn faults(store: &Store, service: &Service, operation: &str, members: &[(&str, &str)]) -> Vec<Fault> {
    let (caller, vantage, mint) = (Caller::root(ACCOUNT), Vantage::host(), CountedMint::default());
    let call = Call {
        caller: &caller,
        scope: Scope::new(ACCOUNT, REGION),
        region: REGION,
        now: Timestamp::UNIX_EPOCH,
        wall: Timestamp::UNIX_EPOCH,
        vantage: &vantage,
        host: "",
        mint: &mint,
        context: std::sync::Arc::default(),
    };
    let members = members.iter().map(|(name, value)| ((*name).to_owned(), Tree::Raw((*value).to_owned()))).collect();
    let operation = service.operations.iter().find(|row| row.name() == operation).unwrap();
    let view = store.view();
    let case: Case = service.protocol.input_case();
    let rehearsal = operation.rehearse(&Tree::Form(members), case, &call, Reads::of(&view)).unwrap();
    rehearsal.asks.unwrap().iter().filter_map(|ask| ask.fault().cloned()).collect()
}

#[tokio::test]
async fn a_launch_whose_metadata_options_cannot_be_read() {
    let store = Store::in_memory();
    let launch = [("MinCount", "1"), ("MaxCount", "1"), ("ImageId", "ami-1")];
    assert_eq!(faults(&store, &eksile_ec2::SERVICE, "RunInstances", &launch), []);
    let key = Scope::new(ACCOUNT, REGION).key::<MetadataDefaults>(MetadataDefaults::ID);
    let garbage = store.write(|txn| {
        txn.put(&key, "garbage");
        Ok::<_, Fault>(())
    });
    garbage.await.unwrap();
    let found = faults(&store, &eksile_ec2::SERVICE, "RunInstances", &launch);
    assert_eq!(found.iter().map(|fault| &*fault.code).collect::<Vec<_>>(), ["InternalFailure"]);
}

#[tokio::test]
async fn an_access_entry_of_a_type_that_is_none() {
    let store = Store::in_memory();
    let role = format!("arn:aws:iam::{ACCOUNT}:role/any");
    for (kind, expected) in [("STANDARD", 0), ("EC2_LINUX", 0), ("NONSENSE", 1)] {
        let entry = [("clusterName", "dev"), ("principalArn", &*role), ("type", kind)];
        assert_eq!(faults(&store, &eksile_eks::SERVICE, "CreateAccessEntry", &entry).len(), expected, "{kind}");
    }
}
