//! The service link over a wire that can be cut: bytes stop, nobody is told.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use eksile_base::Clock;
use eksile_ec2::records::{Instance, InstanceRole, InstanceState, ObservedInstance, Subnet, Tags, WantedInstanceState};
use eksile_site::{
    link::{Answerer, Attempt, Connect, Connection, LinkClient, LinkServer, Question, Timing, site_links},
    outbox::Outbox,
};
use eksile_store::{Record, RecordError, Scope, Store};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

const SITE: &str = "op-1";
const TIMING: Timing =
    Timing { ping: Duration::from_millis(20), silence: Duration::from_millis(200), retry: Duration::from_millis(20) };

struct Region {
    store: Store,
    server: LinkServer,
    cut: Arc<AtomicBool>,
}

struct Answers;

impl Answerer for Answers {
    fn answer<'a>(
        &'a self,
        site: &'a str,
        question: Question,
    ) -> Pin<Box<dyn Future<Output = Result<serde_json::Value, String>> + Send + 'a>> {
        Box::pin(async move { Ok(serde_json::json!({ "site": site, "question": question })) })
    }
}

/// Copies until cut; a cut wire swallows what is sent, both ways, and stays open.
async fn wire(mut near: DuplexStream, mut far: DuplexStream, cut: Arc<AtomicBool>) {
    let (mut a, mut b) = ([0; 4096], [0; 4096]);
    loop {
        let (from_near, count) = tokio::select! {
            count = near.read(&mut a) => (true, count.unwrap_or(0)),
            count = far.read(&mut b) => (false, count.unwrap_or(0)),
        };
        if count == 0 {
            return;
        }
        if cut.load(Ordering::SeqCst) {
            continue;
        }
        let sent = if from_near { far.write_all(&a[..count]).await } else { near.write_all(&b[..count]).await };
        if sent.is_err() {
            return;
        }
    }
}

struct Dial(LinkServer, Arc<AtomicBool>);

impl Connect for Dial {
    fn connect(&self) -> Attempt<'_> {
        let (site_end, near) = duplex(1 << 16);
        let (far, region_end) = duplex(1 << 16);
        tokio::spawn(wire(near, far, Arc::clone(&self.1)));
        let server = self.0.clone();
        tokio::spawn(async move { server.serve(region_end, SITE).await });
        Box::pin(async move { Ok(Box::new(site_end) as Box<dyn Connection>) })
    }
}

impl Region {
    fn new() -> Self {
        let store = Store::in_memory();
        let server = LinkServer::new(store.clone(), Clock::system(), Arc::new(Answers), TIMING);
        Self { store, server, cut: Arc::default() }
    }

    fn join(&self, site_store: &Store) -> (LinkClient, tokio::task::JoinHandle<()>) {
        let (client, asks) = LinkClient::new(SITE, site_store.clone(), TIMING);
        let dial = Dial(self.server.clone(), Arc::clone(&self.cut));
        let running = client.clone();
        (client, tokio::spawn(async move { running.run(&dial, asks).await }))
    }

    async fn put<R: Record>(&self, record: &R) {
        self.store.write(|txn| txn.put_record(&scope(), record)).await.unwrap();
    }
}

fn scope() -> Scope {
    Scope { account: "111122223333".into(), region: "us-west-2".into() }
}

fn subnet(id: &str) -> Subnet {
    Subnet {
        subnet_id: id.into(),
        vpc_id: "vpc-1".into(),
        cidr_block: "10.0.0.0/24".into(),
        availability_zone: "us-west-2a".into(),
        availability_zone_id: "usw2-az1".into(),
        outpost_arn: None,
        map_public_ip_on_launch: false,
        default_for_az: false,
        tags: Tags::new(),
    }
}

fn instance(id: &str, site: &str) -> Instance {
    Instance {
        instance_id: id.into(),
        reservation_id: "r-1".into(),
        image_id: "ami-1".into(),
        instance_type: "m5.large".into(),
        site: site.into(),
        subnet_id: "subnet-1".into(),
        vpc_id: "vpc-1".into(),
        private_ip: "10.0.0.5".into(),
        private_dns_name: "ip-10-0-0-5.us-west-2.compute.internal".into(),
        network_interface_ids: vec![],
        key_name: None,
        instance_profile: None,
        user_data: None,
        role: InstanceRole::Worker,
        wanted: WantedInstanceState::Running,
        launch_time: 0,
        ami_launch_index: 0,
        metadata_options: eksile_ec2::records::MetadataOptions::default(),
        client_token: None,
        tags: Tags::new(),
    }
}

fn seen(id: &str, state: InstanceState) -> ObservedInstance {
    ObservedInstance { instance_id: id.into(), state, reason: None, since: 0 }
}

async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let waiting = async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), waiting).await.unwrap_or_else(|_| panic!("never: {what}"));
}

fn has<R: Record>(store: &Store, id: &str) -> bool {
    store.view().record::<R>(&scope(), id).unwrap().is_some()
}

#[tokio::test]
async fn a_site_gets_what_concerns_it_and_nothing_else() {
    let (region, site) = (Region::new(), Store::in_memory());
    region.put(&subnet("subnet-1")).await;
    region.put(&instance("i-mine", SITE)).await;
    region.put(&instance("i-other", "us-west-2")).await;
    let secret = |txn: &mut eksile_store::Txn<'_>| {
        txn.put("/111122223333/global/iam/access-key/AKIA", "{}");
        Ok::<_, RecordError>(())
    };
    region.store.write(secret).await.unwrap();
    let _link = region.join(&site);
    until("snapshot", || has::<Instance>(&site, "i-mine")).await;
    assert!(has::<Subnet>(&site, "subnet-1"));
    assert!(!has::<Instance>(&site, "i-other"));
    assert!(site.view().get("/111122223333/global/iam/access-key/AKIA").is_none());
    region.put(&instance("i-late", SITE)).await;
    until("a later change", || has::<Instance>(&site, "i-late")).await;
}

#[tokio::test]
async fn a_cut_is_found_out_and_both_ways_catch_up() {
    let (region, site) = (Region::new(), Store::in_memory());
    region.put(&instance("i-a", SITE)).await;
    let (client, _running) = region.join(&site);
    until("snapshot", || has::<Instance>(&site, "i-a")).await;
    region.cut.store(true, Ordering::SeqCst);
    until("the site notices", || !client.state().borrow().connected).await;
    until("the Region notices", || site_links(&region.store.view()).unwrap().iter().all(|link| !link.connected)).await;
    region.put(&instance("i-b", SITE)).await;
    region.store.write(|txn| Ok::<_, RecordError>(txn.delete_record::<Instance>(&scope(), "i-a"))).await.unwrap();
    for state in [InstanceState::Pending, InstanceState::Running] {
        client.outbox().report(&seen("i-a", state)).await.unwrap();
    }
    assert!(!has::<Instance>(&site, "i-b"), "nothing passes a cut link");
    assert_eq!(client.outbox().waiting(), 2);
    region.cut.store(false, Ordering::SeqCst);
    until("the Region's changes", || has::<Instance>(&site, "i-b") && !has::<Instance>(&site, "i-a")).await;
    until("the outbox is empty", || client.outbox().waiting() == 0).await;
    let observed = Scope { account: "observed".into(), region: SITE.into() };
    let taken = region.store.view().record::<ObservedInstance>(&observed, "i-a").unwrap().unwrap();
    assert_eq!(taken.state, InstanceState::Running);
    assert_eq!(site_links(&region.store.view()).unwrap()[0].reported, 2);
}

#[tokio::test]
async fn a_restarted_site_goes_on_where_it_was() {
    let (region, site) = (Region::new(), Store::in_memory());
    region.put(&subnet("subnet-1")).await;
    let (_, running) = region.join(&site);
    until("snapshot", || has::<Subnet>(&site, "subnet-1")).await;
    running.abort();
    let before = site.view().get("/111122223333/us-west-2/ec2/subnet/subnet-1").unwrap().modified;
    region.put(&subnet("subnet-2")).await;
    let _link = region.join(&site);
    until("the change in between", || has::<Subnet>(&site, "subnet-2")).await;
    let after = site.view().get("/111122223333/us-west-2/ec2/subnet/subnet-1").unwrap().modified;
    assert_eq!(before, after, "what was held was not written again");
}

#[tokio::test]
async fn another_region_store_replaces_the_copy_but_not_what_the_site_saw() {
    let (first, second, site) = (Region::new(), Region::new(), Store::in_memory());
    first.put(&subnet("subnet-old")).await;
    let (client, running) = first.join(&site);
    until("snapshot", || has::<Subnet>(&site, "subnet-old")).await;
    client.outbox().report(&seen("i-a", InstanceState::Running)).await.unwrap();
    running.abort();
    second.put(&subnet("subnet-new")).await;
    let _link = second.join(&site);
    until("the new copy", || has::<Subnet>(&site, "subnet-new")).await;
    assert!(!has::<Subnet>(&site, "subnet-old"));
    let outbox = Outbox::new(site, SITE);
    assert!(outbox.observed::<ObservedInstance>("i-a").unwrap().is_some());
}

#[tokio::test]
async fn questions_are_answered_or_time_out() {
    let (region, site) = (Region::new(), Store::in_memory());
    let (client, _running) = region.join(&site);
    let question = || Question::InstanceCredentials { instance_id: "i-a".into(), delivery: "2.0".into() };
    let answer = client.ask(question(), Duration::from_secs(5)).await.unwrap();
    assert_eq!(answer["site"], SITE);
    region.cut.store(true, Ordering::SeqCst);
    until("the site notices", || !client.state().borrow().connected).await;
    let refused = client.ask(question(), Duration::from_millis(100)).await.unwrap_err();
    assert!(refused.contains("no answer from the Region"), "{refused}");
}

#[tokio::test]
async fn a_site_speaks_only_for_itself() {
    let region = Region::new();
    for (hello, expected) in [
        (r#"{"hello":{"site":"op-2","store":"","revision":0}}"#, "op-1 calls itself op-2"),
        (r#""ping""#, "first message must be a hello"),
        (r#"{"nonsense":{}}"#, "not a message"),
        ("\u{0}garbage", "not a message"),
    ] {
        let (mut near, far) = duplex(1 << 16);
        let serving = tokio::spawn({
            let server = region.server.clone();
            async move { server.serve(far, SITE).await }
        });
        near.write_u32(u32::try_from(hello.len()).unwrap()).await.unwrap();
        near.write_all(hello.as_bytes()).await.unwrap();
        let end = serving.await.unwrap().unwrap_err().to_string();
        assert!(end.contains(expected), "{end}");
    }
}
