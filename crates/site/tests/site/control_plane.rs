//! What is decided for a control plane.

use std::{fs, net::SocketAddr, path::Path, pin::Pin};

use eksile_eks::records::{AccessEntry, AuthenticationMode, Cluster, Creator, VpcConfig, WantedCluster};
use eksile_site::{
    control_plane::{ControlPlanes, Loopback, Progress, Seen, Step, plan},
    outbox::Outbox,
};
use eksile_store::{RecordError, Scope, Store};

fn cluster(wanted: WantedCluster) -> Cluster {
    Cluster {
        name: "c".into(),
        id: "id".into(),
        arn: "arn:aws:eks:us-west-2:111122223333:cluster/c".into(),
        version: "1.33".into(),
        platform_version: "eks-local-outposts.1".into(),
        role_arn: "arn:aws:iam::111122223333:role/r".into(),
        vpc_config: VpcConfig::default(),
        service_ipv4_cidr: "10.100.0.0/16".into(),
        enabled_log_types: vec![],
        authentication_mode: AuthenticationMode::ConfigMap,
        bootstrap_cluster_creator_admin_permissions: true,
        creator: Creator { arn: "arn:aws:iam::111122223333:user/u".into(), principal_id: "AIDA".into() },
        outpost_config: None,
        site: "op-1".into(),
        members: vec![],
        endpoint_name: "x.eks.amazonaws.com".into(),
        wanted,
        health: vec![],
        created_at: 0,
        activated_at: None,
        client_request_token: None,
        tags: std::collections::BTreeMap::new(),
    }
}

#[test]
fn what_is_done_follows_from_what_is_wanted_and_seen() {
    use Step::{Forward, Remove, ReportDown, ReportGone, Start, Stop};
    let there = Seen { places: true, ..Seen::default() };
    let starting = Seen { alive: true, ..there.clone() };
    let serving = Seen { authority: Some("CA".into()), ..starting };
    let present = cluster(WantedCluster::Present);
    assert_eq!(plan(&present, &Seen::default()), [], "not before its addresses exist");
    assert_eq!(plan(&present, &there), [ReportDown, Start]);
    assert_eq!(plan(&present, &starting), []);
    assert_eq!(plan(&present, &serving), [Forward]);
    let absent = cluster(WantedCluster::Absent);
    assert_eq!(plan(&absent, &serving), [Stop, Remove, ReportGone]);
    assert_eq!(plan(&absent, &Seen::default()), [Remove, ReportGone]);
}

/// Nothing comes in.
struct Nobody;

impl Loopback for Nobody {
    fn forward<'a>(
        &'a self,
        _: &'a str,
        _: Option<u16>,
        _: &'a str,
        _: Vec<SocketAddr>,
    ) -> Pin<Box<dyn Future<Output = Result<u16, String>> + Send + 'a>> {
        Box::pin(async { Ok(1) })
    }

    fn end<'a>(&'a self, _: &'a str) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>> {
        Box::pin(async { Ok(()) })
    }
}

fn entry(principal: &str) -> AccessEntry {
    AccessEntry {
        id: format!("c/{principal}"),
        cluster_id: "id".into(),
        cluster_name: "c".into(),
        principal_arn: principal.into(),
        principal_id: "AIDA".into(),
        access_entry_arn: String::new(),
        entry_type: "STANDARD".into(),
        username: "u".into(),
        kubernetes_groups: vec![],
        created_at: 0,
        modified_at: 0,
        tags: std::collections::BTreeMap::new(),
    }
}

/// Principals of the entries that the control plane reads.
fn allowed(file: &Path) -> Vec<String> {
    let access: serde_json::Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    let entries = access["entries"].as_array().unwrap();
    entries.iter().map(|entry| entry["principal_arn"].as_str().unwrap().to_owned()).collect()
}

/// Neither places that are missing, nor a step that fails and rests, nor records that cannot be read keep in force what
/// was revoked.
#[tokio::test]
async fn who_may_come_in_is_written_down_whatever_else_fails() {
    let dir = tempfile::tempdir().unwrap();
    let (store, scope) = (Store::in_memory(), Scope::new("111122223333", "us-west-2"));
    let outbox = Outbox::new(store.clone(), "op-1");
    let planes = ControlPlanes {
        dir: dir.path(),
        program: Path::new("/nonexistent"),
        loopback: &Nobody,
        outbox: &outbox,
        public_ca: Path::new("/nonexistent"),
        sts: SocketAddr::from(([198, 18, 0, 10], 443)),
    };
    let mut progress = Progress::default();
    let folder = dir.path().join("clusters/id");
    let file = folder.join("access.json");
    let (within, put) = (&scope, &store);
    let put = |entries: Vec<AccessEntry>| {
        put.write(move |txn| {
            txn.put_record(within, &cluster(WantedCluster::Present))?;
            entries.iter().try_for_each(|entry| txn.put_record(within, entry))
        })
    };
    put(vec![entry("one"), entry("other")]).await.unwrap();
    planes.reconcile(&store.view(), "op-1", &mut progress).await;
    assert!(!folder.exists(), "nothing is made of a cluster that has no place yet");

    // Its places are gone, and what is known of its process cannot be read: it fails, and rests.
    fs::create_dir_all(&folder).unwrap();
    fs::write(&file, "{}").unwrap();
    fs::write(folder.join("pid"), "nonsense").unwrap();
    let outcome = planes.reconcile(&store.view(), "op-1", &mut progress).await;
    assert!(outcome.failed);
    assert_eq!(allowed(&file), ["one", "other"]);
    store.write(|txn| Ok::<_, RecordError>(txn.delete_record::<AccessEntry>(&scope, "c/one"))).await.unwrap();
    planes.reconcile(&store.view(), "op-1", &mut progress).await;
    assert_eq!(allowed(&file), ["other"], "the cluster rests, and who was revoked is out");

    // One that cannot be read allows nobody, and does not keep the others'.
    put(vec![entry("third")]).await.unwrap();
    let damage = store.write(|txn| {
        txn.put(&scope.key::<AccessEntry>("c/other"), "not a record");
        txn.put(&scope.key::<eksile_ec2::records::Instance>("i-1"), "not a record");
        Ok::<_, RecordError>(())
    });
    damage.await.unwrap();
    let outcome = planes.reconcile(&store.view(), "op-1", &mut progress).await;
    assert_eq!(allowed(&file), ["third"]);
    assert!(outcome.failed && outcome.again.is_some());
}
