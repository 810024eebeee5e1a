use std::io::Write;
use std::time::{Duration, Instant};

use eksile_ec2::records::WantedInstanceState;
use eksile_linux::netlink::Netlink;
use eksile_linux::world::{self, Order, World};
use eksile_linux::{Namespace, netns};

use super::super::{Fabric, Records, base, link};
use super::probe::*;
use super::topology::*;

/// Runs the test called `name` as the first process of a world, unless this is it. True inside;
/// false outside, after it has passed there (or was skipped).
pub(super) fn inside(name: &str) -> bool {
    within("packets", name)
}

/// As [`inside`], for a test of another module beside this.
pub(super) fn within(module: &str, name: &str) -> bool {
    if std::env::var_os("EKSILE_TEST_WORLD").is_some() {
        world::settle().unwrap();
        return true;
    }
    if std::fs::metadata("/proc/self").map(|m| std::os::unix::fs::MetadataExt::uid(&m)).unwrap() != 0 {
        println!("skipped: {name} needs root");
        return false;
    }
    if std::process::Command::new("nft").arg("--version").output().is_err() {
        println!("skipped: {name} needs nft");
        return false;
    }
    let order = Order {
        program: std::env::current_exe().unwrap(),
        args: ["--exact", &format!("fabric::tests::{module}::{name}"), "--nocapture"].map(Into::into).to_vec(),
        env: vec![("EKSILE_TEST_WORLD".into(), "1".into())],
        inherit: Vec::new(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let status = runtime.block_on(World::start(order).unwrap().ended());
    assert!(status.success(), "{name} in its world: {status}");
    false
}

/// Both sites of the test's topology, realised.
pub(super) struct Both {
    pub(super) records: Records,
    folder: tempfile::TempDir,
    zones: Fabric,
    outpost: Fabric,
}

impl Both {
    pub(super) fn new() -> Self {
        base(&[OUTPOST.to_owned()]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let (zones, outpost) = Self::fresh(folder.path());
        let mut both = Self { records: records(), folder, zones, outpost };
        both.pass();
        both
    }

    fn fresh(folder: &std::path::Path) -> (Fabric, Fabric) {
        (Fabric::new(REGION, REGION, &folder.join("zones")), Fabric::new(OUTPOST, REGION, &folder.join("outpost")))
    }

    /// Both reconcile; returns how many actions that took.
    pub(super) fn pass(&mut self) -> usize {
        let mut actions = 0;
        for (fabric, site) in [(&mut self.zones, REGION), (&mut self.outpost, OUTPOST)] {
            let mut own = self.records.clone();
            own.instances.retain(|i| i.site == site);
            let report = fabric.reconcile(&own).unwrap();
            assert_eq!(report.pending, Vec::<String>::new());
            actions += report.actions;
        }
        actions
    }

    /// As after a restart of both sites.
    fn restart(&mut self) {
        (self.zones, self.outpost) = Self::fresh(self.folder.path());
    }
}

fn serve_all(port: u16) {
    for machine in [&WEB, &APP, &EDGE_ONE, &EDGE_TWO] {
        serve(&machine.id(), port);
    }
}

#[test]
fn security_groups_decide() {
    if !inside("security_groups_decide") {
        return;
    }
    let _both = Both::new();
    [53, 80, 443, 5432].into_iter().for_each(serve_all);
    let at = |machine: &Machine, port: u16| format!("{}:{port}", machine.ip);
    // Allowed to anybody, inside one site and over the link; TCP only.
    assert_eq!(tcp(&APP.id(), &at(&WEB, 80), true), seen(APP.ip));
    assert_eq!(tcp(&EDGE_ONE.id(), &at(&WEB, 80), true), seen(EDGE_ONE.ip));
    assert_eq!(tcp(&APP.id(), &at(&WEB, 443), false), Answer::Silence);
    assert_eq!(udp(&APP.id(), &at(&WEB, 80), false), Answer::Silence);
    // By reference: a member passes, whatever its site; a stranger in the next seat does not.
    assert_eq!(tcp(&APP.id(), &at(&EDGE_ONE, 9), true), Answer::Refused(std::io::ErrorKind::ConnectionRefused));
    assert_eq!(tcp(&APP.id(), &at(&EDGE_ONE, 443), true), seen(APP.ip));
    assert_eq!(tcp(&EDGE_ONE.id(), &at(&EDGE_TWO, 5432), true), seen(EDGE_ONE.ip));
    assert_eq!(tcp(&WEB.id(), &at(&EDGE_TWO, 5432), false), Answer::Silence);
    assert_eq!(udp(&WEB.id(), &at(&APP, 53), true), seen(WEB.ip));
    assert_eq!(udp(&WEB.id(), &at(&EDGE_ONE, 53), true), seen(WEB.ip));
    assert_eq!(udp(&EDGE_TWO.id(), &at(&EDGE_ONE, 53), false), Answer::Silence);
    // sg-db lets nothing out but answers.
    assert_eq!(tcp(&EDGE_TWO.id(), &at(&WEB, 80), false), Answer::Silence);
    assert!(ping(&APP.id(), EDGE_ONE.ip.parse().unwrap(), true));
    assert!(!ping(&APP.id(), WEB.ip.parse().unwrap(), false));
}

#[test]
fn routes_lead_out_and_in() {
    if !inside("routes_lead_out_and_in") {
        return;
    }
    let mut both = Both::new();
    serve("internet", 443);
    serve("onprem", 443);
    serve_all(80);
    serve_all(443);
    let (door, customer) = ("198.18.0.10:443", "172.16.0.10:443");
    // The NAT gateway's address is seen, from its own Zone and from the Outpost.
    assert_eq!(tcp(&APP.id(), door, true), seen("198.19.0.1"));
    assert_eq!(udp(&APP.id(), door, true), seen("198.19.0.1"));
    assert_eq!(tcp(&EDGE_ONE.id(), door, true), seen("198.19.0.1"));
    // One to one, both ways, and from the VPC itself.
    assert_eq!(tcp(&WEB.id(), door, true), seen("198.19.0.2"));
    assert_eq!(tcp("internet", "198.19.0.2:80", true), seen("198.18.0.10"));
    assert_eq!(tcp("internet", "198.19.0.2:443", false), Answer::Silence);
    assert_eq!(tcp("internet", "198.19.0.3:80", false), Answer::Refused(std::io::ErrorKind::InvalidInput));
    assert_eq!(tcp(&APP.id(), "198.19.0.2:80", true), seen("198.19.0.1"));
    // On premises, from the Outpost only, without translation.
    assert_eq!(tcp(&EDGE_ONE.id(), customer, true), seen(EDGE_ONE.ip));
    assert_eq!(tcp("onprem", "10.0.9.10:443", true), seen("172.16.0.10"));
    assert!(ping("onprem", EDGE_ONE.ip.parse().unwrap(), true));
    assert!(ping(&WEB.id(), "198.18.0.10".parse().unwrap(), true));
    assert!(ping(&EDGE_ONE.id(), "198.18.0.10".parse().unwrap(), true));
    assert!(!ping("internet", "198.19.0.2".parse().unwrap(), false));
    assert_eq!(tcp("onprem", "10.0.9.10:80", false), Answer::Silence);
    assert_eq!(tcp("onprem", "10.0.9.11:443", false), Answer::Silence);
    assert_eq!(tcp(&APP.id(), customer, false), Answer::Silence);
    assert_ne!(tcp("onprem", "10.0.2.10:443", false), seen("172.16.0.10"));
    // A forged source does not leave its interface.
    let netlink = || {
        let mut netlink = Netlink::here().unwrap();
        let lo = netlink.index("lo").unwrap();
        netlink.add_address(lo, "10.0.2.99/32".parse().unwrap()).unwrap();
        let socket = std::net::UdpSocket::bind("10.0.2.99:0").unwrap();
        socket.send_to(b"?", "10.0.9.10:443").unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(250))).unwrap();
        socket.recv_from(&mut [0; 8]).map(|_| ())
    };
    assert!(Namespace::named(&APP.id()).enter(netlink).unwrap().is_err());
    // Without the route, silence.
    both.records.route_tables[0].routes.retain(|r| r.destination_cidr_block != "0.0.0.0/0");
    both.pass();
    assert_eq!(tcp(&APP.id(), door, false), Answer::Silence);
    assert_eq!(tcp(&EDGE_ONE.id(), door, true), seen("198.19.0.1"));
}

#[test]
fn an_address_taken_away_cuts_its_flows() {
    if !inside("an_address_taken_away_cuts_its_flows") {
        return;
    }
    let mut both = Both::new();
    serve("internet", 443);
    serve_all(80);
    let mut out = connect(&WEB.id(), "198.18.0.10:443", Duration::from_secs(3)).unwrap();
    let mut other = connect(&APP.id(), "198.18.0.10:443", Duration::from_secs(3)).unwrap();
    assert_eq!(exchange(&mut out), seen("198.19.0.2"));
    assert_eq!(exchange(&mut other), seen("198.19.0.1"));
    both.records.addresses.retain(|a| a.public_ip != "198.19.0.2");
    both.pass();
    out.write_all(b"?").unwrap();
    out.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    assert!(std::io::Read::read(&mut out, &mut [0; 8]).is_err());
    assert_eq!(exchange(&mut other), seen("198.19.0.1"));
    assert_eq!(tcp(&WEB.id(), "198.18.0.10:443", false), Answer::Silence);
}

#[test]
fn a_cut_is_silent_and_heals() {
    if !inside("a_cut_is_silent_and_heals") {
        return;
    }
    let _both = Both::new();
    serve_all(443);
    serve("onprem", 443);
    serve(&link::region_end(OUTPOST), 7443);
    let patience = Duration::from_secs(3);
    let mut across = connect(&APP.id(), "10.0.9.10:443", patience).unwrap();
    let mut management = connect(&link::site_end(OUTPOST), "100.64.0.1:7443", patience).unwrap();
    assert_eq!(exchange(&mut across), seen(APP.ip));
    assert_eq!(exchange(&mut management), seen("100.64.0.2"));
    assert!(!link::is_cut(OUTPOST).unwrap());
    link::disconnect(OUTPOST).unwrap();
    link::disconnect(OUTPOST).unwrap();
    assert!(link::is_cut(OUTPOST).unwrap());
    across.write_all(b"?").unwrap();
    across.set_read_timeout(Some(Duration::from_millis(250))).unwrap();
    assert!(std::io::Read::read(&mut across, &mut [0; 64]).is_err());
    assert_eq!(tcp(&APP.id(), "10.0.9.10:443", false), Answer::Silence);
    assert_eq!(udp(&APP.id(), "10.0.9.10:443", false), Answer::Silence);
    assert_eq!(tcp(&link::site_end(OUTPOST), "100.64.0.1:7443", false), Answer::Silence);
    // The Outpost goes on by itself, towards its neighbours and its customer.
    assert_eq!(tcp("onprem", "10.0.9.10:443", true), seen("172.16.0.10"));
    assert_eq!(tcp(&EDGE_ONE.id(), "172.16.0.10:443", true), seen(EDGE_ONE.ip));
    link::reconnect(OUTPOST).unwrap();
    link::reconnect(OUTPOST).unwrap();
    assert!(!link::is_cut(OUTPOST).unwrap());
    let mut buffer = [0; 64];
    across.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let n = std::io::Read::read(&mut across, &mut buffer).unwrap();
    assert_eq!(&buffer[..n], APP.ip.as_bytes(), "the same connection delivers what was waiting");
    assert_eq!(exchange(&mut management), seen("100.64.0.2"));
    assert_eq!(tcp(&APP.id(), "10.0.9.10:443", true), seen(APP.ip));
}

#[test]
fn a_restarted_site_adopts_without_disturbing() {
    if !inside("a_restarted_site_adopts_without_disturbing") {
        return;
    }
    let mut both = Both::new();
    serve_all(443);
    serve("internet", 443);
    let mut across = connect(&APP.id(), "10.0.9.10:443", Duration::from_secs(3)).unwrap();
    let mut out = connect(&EDGE_ONE.id(), "198.18.0.10:443", Duration::from_secs(3)).unwrap();
    let links = |place: &str| Netlink::open(&Namespace::named(place)).unwrap().links().unwrap();
    let before: Vec<_> = netns::list().unwrap().iter().map(|p| links(p)).collect();
    assert_eq!(both.pass(), 0, "a pass without news does nothing");
    both.restart();
    both.pass();
    let after: Vec<_> = netns::list().unwrap().iter().map(|p| links(p)).collect();
    assert_eq!(before, after);
    assert_eq!(exchange(&mut across), seen(APP.ip));
    assert_eq!(exchange(&mut out), seen("198.19.0.1"));
    assert_eq!(both.pass(), 0);
    // What went while nobody looked is made again; what is no longer wanted goes.
    Netlink::open(&Namespace::named(VPC)).unwrap().delete_link("e0000000000b1").unwrap();
    let routes = |place: &str| Netlink::open(&Namespace::named(place)).unwrap().routes().unwrap();
    let wanted = routes(VPC);
    both.restart();
    both.records.instances.iter_mut().find(|i| i.instance_id == WEB.id()).unwrap().wanted =
        WantedInstanceState::Terminated;
    both.pass();
    assert!(!Namespace::named(&WEB.id()).exists());
    assert!(!links(VPC).contains_key("e0000000000a1"));
    assert_ne!(routes(VPC), wanted);
    assert_eq!(tcp(&APP.id(), "10.0.9.10:443", true), seen(APP.ip));
}

#[test]
fn overlapping_vpcs_do_not_meet() {
    if !inside("overlapping_vpcs_do_not_meet") {
        return;
    }
    let mut both = Both::new();
    both.records = join(records(), twin(&records()));
    both.pass();
    serve("internet", 443);
    serve(&APP.id(), 443);
    serve(&EDGE_ONE.id(), 443);
    serve(&other(&EDGE_ONE.id()), 53);
    let across = "10.0.9.10:443";
    // Each reaches its own 10.0.9.10 over the one service link; only the first listens on 443.
    assert_eq!(tcp(&APP.id(), across, true), seen(APP.ip));
    let refused = Answer::Refused(std::io::ErrorKind::ConnectionRefused);
    assert_eq!(tcp(&other(&APP.id()), across, true), refused);
    assert_eq!(udp(&other(&APP.id()), "10.0.9.10:53", true), seen(APP.ip));
    // The same private address, seen as two on the internet.
    assert_eq!(tcp(&EDGE_ONE.id(), "198.18.0.10:443", true), seen("198.19.0.1"));
    assert_eq!(tcp(&other(&EDGE_ONE.id()), "198.18.0.10:443", true), seen("198.19.1.1"));
    // Cut together.
    link::disconnect(OUTPOST).unwrap();
    assert_eq!(tcp(&other(&APP.id()), across, false), Answer::Silence);
    assert_eq!(tcp(&APP.id(), across, false), Answer::Silence);
}

#[test]
fn nothing_is_left() {
    if !inside("nothing_is_left") {
        return;
    }
    let mut both = Both::new();
    let look = || -> Vec<_> {
        let places = netns::list().unwrap();
        places
            .iter()
            .map(|name| {
                let mut netlink = Netlink::open(&Namespace::named(name)).unwrap();
                let links: Vec<_> = netlink.links().unwrap().into_keys().collect();
                (name.clone(), links, netlink.routes().unwrap(), netlink.rules().unwrap())
            })
            .collect()
    };
    assert_eq!(netns::list().unwrap().len(), 5 + 2 + 2 + 4, "base, routers, gateways, instances");
    both.records = Records::default();
    both.pass();
    let left = look();
    assert_eq!(
        netns::list().unwrap(),
        ["internet", "link-op-0a0a0a0a0a0a0a0a0", "onprem", "region-op-0a0a0a0a0a0a0a0a0", "site-op-0a0a0a0a0a0a0a0a0"]
    );
    // As it was before the first record, but made by a site that had forgotten what it made.
    both.records = records();
    both.pass();
    both.restart();
    both.records = Records::default();
    both.pass();
    until("the kernel has freed the other ends", || look() == left);
    for (_, links, _, _) in &left {
        assert!(links.iter().all(|l| ["lo", "link", "mr", "ms"].contains(&l.as_str())), "{left:?}");
    }
}

#[test]
fn an_instance_comes_quickly() {
    if !inside("an_instance_comes_quickly") {
        return;
    }
    let mut both = Both::new();
    serve(&EDGE_ONE.id(), 443);
    let (mut times, mut first) = (Vec::new(), Vec::new());
    let more =
        [("c3", "10.0.9.12"), ("c4", "10.0.9.13"), ("c5", "10.0.9.14"), ("c6", "10.0.9.15"), ("c7", "10.0.9.16")];
    for (suffix, ip) in more {
        let machine = Machine { suffix, ip, ..EDGE_ONE };
        add(&mut both.records, &machine);
        let start = Instant::now();
        both.pass();
        times.push(start.elapsed());
        // The first packet to a neighbour does not wait either (proxy ARP without its delay).
        let start = Instant::now();
        assert_eq!(tcp(&machine.id(), "10.0.9.10:443", true), seen(ip));
        first.push(start.elapsed());
    }
    println!("first connection: {first:?}");
    println!("an instance more, both sites: {times:?}");
    // Loose, since the machine may be busy; a lost ARP request would take more than a second.
    assert!(*times.iter().min().unwrap() < Duration::from_secs(2), "{times:?}");
    assert!(*first.iter().max().unwrap() < Duration::from_millis(900), "{first:?}");
}

#[test]
fn a_place_that_cannot_be_made_keeps_no_other_waiting() {
    if !inside("a_place_that_cannot_be_made_keeps_no_other_waiting") {
        return;
    }
    base(&[OUTPOST.to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (mut fabric, _) = Both::fresh(folder.path());
    let mut own = records();
    own.instances.retain(|instance| instance.site == REGION);
    // Ids beyond the last one: the kernel refuses the map.
    let ids = own.ids.insert(APP.id(), eksile_linux::IdRange { base: u32::MAX - 10 });
    let report = fabric.reconcile(&own).unwrap();
    assert!(report.failed.iter().any(|failure| failure.starts_with(&format!("[{}]", APP.id()))), "{:?}", report.failed);
    assert!(!Namespace::named(&APP.id()).exists());
    serve(&WEB.id(), 80);
    serve("internet", 443);
    assert_eq!(tcp(&WEB.id(), "198.18.0.10:443", true), seen("198.19.0.2"));
    // As soon as it can be made, it is.
    own.ids.extend(ids.map(|ids| (APP.id(), ids)));
    let report = fabric.reconcile(&own).unwrap();
    assert_eq!(report.failed, Vec::<String>::new());
    assert_eq!(tcp(&APP.id(), &format!("{}:80", WEB.ip), true), seen(APP.ip));
}
