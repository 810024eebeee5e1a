//! The instances of a site, each whatever becomes of the others.

use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::instance::inside;
use eksile_ec2::records::{Instance, InstanceRole, InstanceState, ObservedInstance, WantedInstanceState};
use eksile_site::control_plane::Loopback;
use eksile_site::host::Host;
use eksile_site::ids::Ids;
use eksile_site::instances::{Instances, Progress};
use eksile_site::link::{LinkClient, Timing};
use eksile_store::{Options, RecordError, Scope, Store};

struct Nobody;

impl Loopback for Nobody {
    fn forward<'a>(
        &'a self,
        _: &'a str,
        _: Option<u16>,
        _: &'a str,
        _: Vec<SocketAddr>,
    ) -> Pin<Box<dyn Future<Output = Result<u16, String>> + Send + 'a>> {
        Box::pin(async { Err("nobody listens".to_owned()) })
    }

    fn end<'a>(&'a self, _: &'a str) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>> {
        Box::pin(async { Ok(()) })
    }
}

fn host(folder: &Path) -> Host {
    let store = Store::open(&folder.join("store.db"), Options::default()).unwrap();
    Host {
        site: "op-1".into(),
        region: "us-west-2".into(),
        link: LinkClient::new("op-1", store.clone(), Timing::default()).0,
        store,
        dir: folder.to_owned(),
        run: folder.join("run"),
        cgroup: format!("/eksile-test/{}", std::process::id()),
        ids: Ids::new(folder.join("ids")),
        clock: eksile_base::Clock::system(),
        program: "/nowhere".into(),
        loopback: Arc::new(Nobody),
        public_ca: "/nowhere".into(),
        endpoints: ([198, 18, 0, 10], 443).into(),
    }
}

fn terminated(id: &str) -> Instance {
    let text = |text: &str| text.to_owned();
    Instance {
        instance_id: id.to_owned(),
        reservation_id: text("r-1"),
        image_id: text("ami-1"),
        instance_type: text("m5.large"),
        site: text("op-1"),
        subnet_id: text("subnet-1"),
        vpc_id: text("vpc-1"),
        private_ip: text("10.0.1.5"),
        private_dns_name: text("ip-10-0-1-5.us-west-2.compute.internal"),
        network_interface_ids: vec![],
        key_name: None,
        instance_profile: None,
        user_data: None,
        role: InstanceRole::Worker,
        wanted: WantedInstanceState::Terminated,
        launch_time: 0,
        ami_launch_index: 0,
        metadata_options: eksile_ec2::records::MetadataOptions::default(),
        client_token: None,
        tags: std::collections::BTreeMap::new(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_that_cannot_be_removed_keeps_no_other_instance_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let host = host(folder.path());
    let scope = Scope { account: "111122223333".into(), region: "us-west-2".into() };
    let write = |txn: &mut eksile_store::Txn<'_>| -> Result<(), RecordError> {
        txn.put_record(&scope, &terminated("i-bad"))?;
        txn.put_record(&scope, &terminated("i-good"))
    };
    host.store.write(write).await.unwrap();
    let of = |id: &str| folder.path().join("instances").join(id);
    std::fs::create_dir_all(of("i-good").join("disk/var")).unwrap();
    // What cannot be removed as a folder, for any user.
    std::fs::write(of("i-bad"), "").unwrap();
    host.ids.take("i-good").unwrap();
    host.ids.take("i-bad").unwrap();
    let instances = Instances { host: &host, outbox: host.link.outbox() };
    let mut progress = Progress::default();
    let observed = |id: &str| host.link.outbox().observed::<ObservedInstance>(id).unwrap();
    let begun = Instant::now();
    let mut pass = async || {
        let view = host.store.view();
        let outcome = instances.reconcile(&view, "op-1", &mut progress).await;
        assert!(begun.elapsed() < Duration::from_secs(20));
        tokio::task::yield_now().await;
        outcome.failed
    };
    while observed("i-good").is_none_or(|seen| seen.state != InstanceState::Terminated) {
        pass().await;
    }
    assert!(!of("i-good").exists());
    while observed("i-bad").and_then(|seen| seen.reason).is_none() {
        pass().await;
    }
    let told = observed("i-bad").unwrap();
    let why = told.reason.unwrap();
    assert!(told.state != InstanceState::Terminated && why.to_lowercase().contains("not a directory"), "{why}");
    assert!(pass().await, "what failed calls for another pass");
    // Only what is gone gives its ids back.
    assert_eq!(host.ids.taken().unwrap().keys().collect::<Vec<_>>(), ["i-bad"]);
    std::fs::remove_file(of("i-bad")).unwrap();
    while observed("i-bad").is_none_or(|seen| seen.state != InstanceState::Terminated) {
        pass().await;
    }
    assert!(host.ids.taken().unwrap().is_empty());
}

fn running(id: &str, kind: &str) -> Instance {
    Instance { wanted: WantedInstanceState::Running, instance_type: kind.to_owned(), ..terminated(id) }
}

/// Passes until something is so; answers how long the longest took.
async fn pass_until(host: &Host, progress: &mut Progress, so: impl Fn() -> bool) -> Duration {
    let instances = Instances { host, outbox: host.link.outbox() };
    let (begun, mut longest) = (Instant::now(), Duration::ZERO);
    while !so() {
        assert!(begun.elapsed() < Duration::from_secs(20), "in vain");
        let pass = Instant::now();
        let _told = instances.reconcile(&host.store.view(), "op-1", progress).await;
        longest = longest.max(pass.elapsed());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    longest
}

#[test]
fn an_instance_whose_start_hangs_holds_no_other() {
    if !inside("instances::an_instance_whose_start_hangs_holds_no_other") {
        return;
    }
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("hangs");
    std::fs::write(&program, "#!/bin/sh\nexec sleep 1000\n").unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let mut host = host(folder.path());
        host.program = program;
        std::fs::create_dir(folder.path().join("run")).unwrap();
        for id in ["i-hangs", "i-what"] {
            eksile_linux::Namespace::named(id).create().unwrap();
        }
        let scope = Scope { account: "111122223333".into(), region: "us-west-2".into() };
        let write = |txn: &mut eksile_store::Txn<'_>| -> Result<(), RecordError> {
            txn.put_record(&scope, &running("i-hangs", "m5.large"))?;
            txn.put_record(&scope, &running("i-what", "m99.unheard-of"))?;
            txn.put_record(&scope, &terminated("i-over"))
        };
        host.store.write(write).await.unwrap();
        std::fs::create_dir_all(folder.path().join("instances/i-over/disk")).unwrap();
        let observed = |id: &str| host.link.outbox().observed::<ObservedInstance>(id).unwrap();
        let mut progress = Progress::default();
        let over = || observed("i-over").is_some_and(|seen| seen.state == InstanceState::Terminated);
        let longest = pass_until(&host, &mut progress, over).await;
        assert!(longest < Duration::from_secs(2), "{longest:?}");
        assert!(observed("i-hangs").is_none());
        // Nobody knows the limits of its type: it does not start, and says why.
        let told = || observed("i-what").and_then(|seen| seen.reason).is_some_and(|why| why.contains("m99.unheard-of"));
        pass_until(&host, &mut progress, told).await;
    });
    // What hangs ends with this world.
    runtime.shutdown_background();
}

#[test]
fn a_full_disk_takes_no_ids_away() {
    if !inside("instances::a_full_disk_takes_no_ids_away") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let none = None::<&str>;
    nix::mount::mount(none, folder.path(), Some("tmpfs"), nix::mount::MsFlags::empty(), Some("size=16k,nr_inodes=100"))
        .unwrap();
    let ids = Ids::new(folder.path().join("ids"));
    ids.take("i-1").unwrap();
    let filler = folder.path().join("filler");
    let mut file = std::fs::File::create(&filler).unwrap();
    while std::io::Write::write_all(&mut file, &[1; 512]).is_ok() {}
    for number in 2..20 {
        assert!(ids.take(&format!("i-{number}")).is_err());
    }
    // One record, and the lock.
    assert_eq!(std::fs::read_dir(folder.path().join("ids")).unwrap().count(), 2);
    drop(file);
    std::fs::remove_file(&filler).unwrap();
    ids.take("i-2").unwrap();
    assert_eq!(ids.taken().unwrap().len(), 2);
}
