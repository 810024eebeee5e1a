//! The metadata service at its router, asked by an instance, by a pod behind it, and by others.

use std::fs;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use eksile_ec2::records::{Instance, MetadataOptions};
use eksile_linux::netlink::{Cidr, Neighbour, Netlink, Route, RouteKind, Veth, VethEnd};
use eksile_linux::{Namespace, socket};
use eksile_store::{Scope, Store};

use super::packets::{Both, within};
use super::probe::connect;
use super::topology::*;
use crate::metadata::{self, Credentials};

const POD: &str = "10.0.2.50";
const SERVICE: &str = "169.254.169.254:80";
const GATEWAY: Ipv4Addr = Ipv4Addr::new(169, 254, 1, 1);

struct Nobody;

impl Credentials for Nobody {
    fn of<'a>(
        &'a self,
        instance: &'a str,
        _: &'a str,
    ) -> Pin<Box<dyn Future<Output = Result<serde_json::Value, String>> + Send + 'a>> {
        Box::pin(async move { Ok(serde_json::json!({"RoleName": "node", "AccessKeyId": instance})) })
    }
}

/// The service of the VPC in its router, and a pod of the instance APP.
struct World {
    both: Both,
    store: Store,
    runtime: tokio::runtime::Runtime,
    pod: String,
}

impl World {
    fn new() -> Self {
        let mut both = Both::new();
        let app = both.records.interfaces.iter_mut().find(|i| i.network_interface_id == APP.interface()).unwrap();
        app.secondary_private_ips.push(POD.into());
        both.pass();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let store = runtime.block_on(async { Store::in_memory() });
        let world = Self { both, store, runtime, pod: pod_behind(&APP.id()) };
        let records = &world.both.records;
        records.interfaces.iter().for_each(|interface| world.put(interface));
        records.instances.iter().for_each(|instance| world.put(instance));
        let listener = socket::tcp_listener(&Namespace::named(VPC), metadata::ADDRESS).unwrap();
        let (store, vpc) = (world.store.clone(), VPC.to_owned());
        world.runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            metadata::serve(store, vpc, Arc::new(Nobody), listener).await;
        });
        world
    }

    fn put<R: eksile_store::Record>(&self, record: &R) {
        let scope = Scope::new("111122223333", REGION);
        let written = self.store.write(|txn| txn.put_record(&scope, record));
        self.runtime.block_on(written).unwrap();
    }

    /// As ModifyInstanceMetadataOptions does.
    fn set(&self, options: MetadataOptions) {
        let mut app: Instance = self.both.records.instances.iter().find(|i| i.instance_id == APP.id()).unwrap().clone();
        app.metadata_options = options;
        self.put(&app);
    }
}

/// A namespace behind an instance's, wired as the node wires a pod's.
fn pod_behind(instance: &str) -> String {
    let name = "pod-1".to_owned();
    let place = Namespace::named(&name);
    place.create().unwrap();
    let address: Ipv4Addr = POD.parse().unwrap();
    let (near, far) = ("02:00:00:00:01:01".parse().unwrap(), "02:00:00:00:01:02".parse().unwrap());
    let end = |name: &str, mac| VethEnd { name: name.to_owned(), mac: Some(mac), group: 0, mtu: 1500 };
    let via = |device: &str, gateway| RouteKind::Via { device: device.to_owned(), gateway };
    let wire = || {
        fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap();
        let mut node = Netlink::here().unwrap();
        node.add_veth(&Veth { near: end("pod", near), far: end("eth0", far) }, &place).unwrap();
        node.set_up("pod").unwrap();
        let index = node.index("pod").unwrap();
        node.replace_neighbour(&Neighbour { address, device: "pod".into(), mac: far }, index).unwrap();
        let to = Route { table: 254, to: Cidr::host(address), kind: via("pod", None) };
        node.replace_route(&to, Some(index)).unwrap();
    };
    Namespace::named(instance).enter(wire).unwrap();
    let mut pod = Netlink::open(&place).unwrap();
    pod.set_up("lo").unwrap();
    pod.set_up("eth0").unwrap();
    let index = pod.index("eth0").unwrap();
    pod.add_address(index, Cidr::host(address)).unwrap();
    pod.replace_neighbour(&Neighbour { address: GATEWAY, device: "eth0".into(), mac: near }, index).unwrap();
    let link = Route { table: 254, to: Cidr::host(GATEWAY), kind: via("eth0", None) };
    pod.replace_route(&link, Some(index)).unwrap();
    let all = Cidr { address: Ipv4Addr::UNSPECIFIED, length: 0 };
    let default = Route { table: 254, to: all, kind: via("eth0", Some(GATEWAY)) };
    pod.replace_route(&default, Some(index)).unwrap();
    name
}

fn open(place: &str) -> TcpStream {
    connect(place, SERVICE, Duration::from_secs(5)).unwrap()
}

/// Status and body; nothing when there was silence.
fn heard(stream: &mut TcpStream, patience: Duration) -> Option<(u16, String)> {
    stream.set_read_timeout(Some(patience)).unwrap();
    let mut text = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => text.extend_from_slice(&buffer[..length]),
            Err(_) => break,
        }
        let said = String::from_utf8_lossy(&text);
        let Some((head, body)) = said.split_once("\r\n\r\n") else { continue };
        let length =
            head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
        if length.is_some_and(|length: usize| body.len() >= length) {
            break;
        }
    }
    let said = String::from_utf8_lossy(&text).into_owned();
    let (head, body) = said.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

fn ask(place: &str, request: &str, patience: Duration) -> Option<(u16, String)> {
    let mut stream = open(place);
    stream.write_all(request.as_bytes()).unwrap();
    heard(&mut stream, patience)
}

const LONG: Duration = Duration::from_secs(10);
/// For what must not come, after [`answered`].
const SILENCE: Duration = Duration::from_millis(700);

/// Has the service answer others, from here on: a pod that hears nothing by then is not heard late only because all is slow.
fn answered(place: &str) {
    for _ in 0..3 {
        assert_eq!(status(ask(place, PUT, LONG)), Some(200), "the service answers an instance");
    }
}
const PUT: &str = "PUT /latest/api/token HTTP/1.1\r\nHost: x\r\nX-aws-ec2-metadata-token-ttl-seconds: 60\r\n\r\n";

fn get(path: &str, token: Option<&str>) -> String {
    let token = token.map(|token| format!("X-aws-ec2-metadata-token: {token}\r\n")).unwrap_or_default();
    format!("GET {path} HTTP/1.1\r\nHost: x\r\n{token}\r\n")
}

fn status(answer: Option<(u16, String)>) -> Option<u16> {
    answer.map(|(status, _)| status)
}

#[test]
fn a_token_travels_as_far_as_its_hop_limit() {
    if !within("metadata", "a_token_travels_as_far_as_its_hop_limit") {
        return;
    }
    let world = World::new();
    let (app, pod) = (APP.id(), &*world.pod);
    let role = "/latest/meta-data/iam/security-credentials/";
    world.set(MetadataOptions { tokens_required: true, ..MetadataOptions::default() });
    let (code, token) = ask(&app, PUT, LONG).unwrap();
    assert_eq!(code, 200);
    assert_eq!(status(ask(&app, &get("/latest/user-data", Some(&token)), LONG)), Some(404), "it has none");
    assert_eq!(ask(&app, &get("/latest/meta-data/instance-id", Some(&token)), LONG), Some((200, app.clone())));
    // A pod's namespace is a hop further: it reaches the service, and the token does not reach it.
    for path in ["/latest/meta-data/instance-id", "/latest/user-data", role] {
        assert_eq!(status(ask(pod, &get(path, None), LONG)), Some(401), "{path}");
    }
    let mut stream = open(pod);
    stream.write_all(PUT.as_bytes()).unwrap();
    answered(&app);
    assert_eq!(heard(&mut stream, SILENCE), None, "no token");
    // Nor with what is answered later on the same connection, or sent again.
    stream.write_all(get("/latest/meta-data/instance-id", None).as_bytes()).unwrap();
    answered(&app);
    assert_eq!(heard(&mut stream, 2 * SILENCE), None, "no token, even late");
    let mut stream = open(pod);
    stream.write_all(format!("{}{PUT}", get("/", None)).as_bytes()).unwrap();
    let said = heard(&mut stream, LONG).unwrap();
    assert!(said.0 == 401 && !said.1.contains("HTTP/1.1 200"), "{said:?}");
    answered(&app);
    assert_eq!(heard(&mut stream, SILENCE), None, "no token behind what is answered");
    // One hop more, from the next request on.
    world.set(MetadataOptions { tokens_required: true, hop_limit: 2, ..MetadataOptions::default() });
    let (code, token) = ask(pod, PUT, LONG).unwrap();
    assert_eq!(code, 200);
    assert_eq!(ask(pod, &get("/latest/meta-data/instance-id", Some(&token)), LONG), Some((200, app.clone())));
    world.set(MetadataOptions { enabled: false, ..MetadataOptions::default() });
    assert_eq!(status(ask(&app, &get("/latest/meta-data/instance-id", Some(&token)), LONG)), Some(403));
    assert_eq!(status(ask(&app, PUT, LONG)), Some(403));
}

#[test]
fn metadata_is_the_asking_instances_own() {
    if !within("metadata", "metadata_is_the_asking_instances_own") {
        return;
    }
    let world = World::new();
    let (app, web) = (APP.id(), WEB.id());
    let (_, token) = ask(&web, PUT, LONG).unwrap();
    assert_eq!(ask(&web, &get("/latest/meta-data/instance-id", Some(&token)), LONG), Some((200, web.clone())));
    let stolen = get("/latest/meta-data/instance-id", Some(&token));
    assert_eq!(status(ask(&app, &stolen, LONG)), Some(401), "a token is one instance's");
    let role = |place: &str| ask(place, &get("/latest/meta-data/iam/security-credentials/node", None), LONG);
    assert_eq!(status(role(&app)), Some(404), "it has no profile");
    // As another by its address: the handshake alone does not come about, while one's own does.
    let connects = |ip: &str, patience: Duration| {
        let from = SocketAddr::new(IpAddr::V4(ip.parse().unwrap()), 0);
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(from).unwrap();
        let _guard = world.runtime.enter();
        let connecting = socket.connect(SERVICE.parse().unwrap());
        world
            .runtime
            .block_on(async { tokio::time::timeout(patience, connecting).await.is_ok_and(|made| made.is_ok()) })
    };
    let tries = || {
        let mut netlink = Netlink::here().unwrap();
        let lo = netlink.index("lo").unwrap();
        netlink.add_address(lo, format!("{}/32", WEB.ip).parse().unwrap()).unwrap();
        (connects(APP.ip, LONG), connects(WEB.ip, SILENCE), connects(APP.ip, LONG))
    };
    assert_eq!(Namespace::named(&app).enter(tries).unwrap(), (true, false, true));
}

#[test]
fn an_instance_that_keeps_connections_open_shuts_out_itself_alone() {
    if !within("metadata", "an_instance_that_keeps_connections_open_shuts_out_itself_alone") {
        return;
    }
    let world = World::new();
    let silent: Vec<_> = (0..400).map(|_| open(&APP.id())).collect();
    let one = get("/latest/meta-data/instance-id", None);
    assert_eq!(ask(&WEB.id(), &one, LONG), Some((200, WEB.id())), "others are served");
    // Those that say nothing are let go, and there is room again.
    let begun = std::time::Instant::now();
    loop {
        let mut stream = open(&APP.id());
        let answer = stream.write_all(one.as_bytes()).ok().and_then(|()| heard(&mut stream, LONG));
        if status(answer) == Some(200) {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(40), "silent connections are kept");
        std::thread::sleep(Duration::from_millis(50));
    }
    drop(silent);
    drop(world);
}

/// Nothing is kept of a token: it is no memory.
#[test]
fn thousands_of_tokens_take_no_memory() {
    if !within("metadata", "thousands_of_tokens_take_no_memory") {
        return;
    }
    let world = World::new();
    let resident = || {
        let text = fs::read_to_string("/proc/self/statm").unwrap();
        text.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
    };
    let mut stream = open(&WEB.id());
    let mut many = |count: usize| {
        for _ in 0..count {
            stream.write_all(PUT.as_bytes()).unwrap();
            assert_eq!(status(heard(&mut stream, LONG)), Some(200));
        }
    };
    many(500);
    let before = resident();
    many(6_000);
    // What was kept of each was close to a kilobyte.
    assert!(resident() < before + 2_000_000, "{} bytes more", resident() - before);
    drop(world);
}
