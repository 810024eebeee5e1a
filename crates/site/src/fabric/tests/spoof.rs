//! Packets that say they come from somebody else: an instance's root may send what it likes.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use eksile_ec2::records::{Route, RouteTarget};
use eksile_linux::Namespace;
use eksile_linux::netlink::Netlink;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn, recv, sendto, setsockopt, socket, sockopt,
};
use nix::sys::time::TimeVal;

use super::packets::{Both, within};
use super::topology::*;

const UDP: (SockProtocol, u8) = (SockProtocol::Udp, 17);
const TCP: (SockProtocol, u8) = (SockProtocol::Tcp, 6);
const ICMP: (SockProtocol, u8) = (SockProtocol::Icmp, 1);
const METADATA: &str = "169.254.169.254";
const RESOLVER: &str = "10.0.0.2";

fn ones(bytes: &[u8]) -> u16 {
    let mut sum: u32 =
        bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap()
}

/// A segment, a datagram or an echo request to a port.
fn payload((_, protocol): (SockProtocol, u8), from: Ipv4Addr, to: Ipv4Addr, port: u16) -> Vec<u8> {
    let [high, low] = port.to_be_bytes();
    let (mut bytes, at) = match protocol {
        // Source port 4242, no data; a checksum of nought is none (RFC 768).
        17 => return vec![0x10, 0x92, high, low, 0, 8, 0, 0],
        // A SYN of 20 bytes.
        6 => (vec![0x10, 0x92, high, low, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0xff, 0xff, 0, 0, 0, 0], 16),
        _ => (vec![8, 0, 0, 0, 0x42, 0x42, 0, 1], 2),
    };
    let mut summed = Vec::new();
    if protocol == 6 {
        summed.extend([&from.octets()[..], &to.octets(), &[0, 6, 0, 20]].concat());
    }
    summed.extend(&bytes);
    bytes[at..at + 2].copy_from_slice(&ones(&summed).to_be_bytes());
    bytes
}

/// Sends from `place` a packet that says it is `from`'s. The kernel fills in lengths and the header's checksum.
fn send(place: &str, kind: (SockProtocol, u8), from: &str, to: (&str, u16)) {
    let (from, to, port): (Ipv4Addr, Ipv4Addr, u16) = (from.parse().unwrap(), to.0.parse().unwrap(), to.1);
    let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, kind.1, 0, 0];
    packet.extend(from.octets());
    packet.extend(to.octets());
    packet.extend(payload(kind, from, to, port));
    let raw = || socket(AddressFamily::Inet, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::Raw).unwrap();
    let socket = Namespace::named(place).enter(raw).unwrap();
    let address = SockaddrIn::from(SocketAddrV4::new(to, 0));
    // What the sender's own kernel refuses has not arrived either.
    let _refused = sendto(socket.as_raw_fd(), &packet, &address, MsgFlags::empty());
}

/// Whether a packet from `sender`, said to be `from`'s, arrives at `place`; one that is `sender`'s own follows it and must
/// arrive (`own`), so that nothing is waited for in vain.
fn arrives(place: &str, kind: (SockProtocol, u8), sender: (&str, &str), from: &str, to: (&str, u16)) -> bool {
    let raw = || socket(AddressFamily::Inet, SockType::Raw, SockFlag::SOCK_CLOEXEC, kind.0).unwrap();
    let socket = Namespace::named(place).enter(raw).unwrap();
    setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::new(0, 200_000)).unwrap();
    send(sender.0, kind, from, to);
    send(sender.0, kind, sender.1, to);
    let (from, own): (Ipv4Addr, Ipv4Addr) = (from.parse().unwrap(), sender.1.parse().unwrap());
    let (begun, mut buffer, mut seen) = (Instant::now(), [0; 256], false);
    while begun.elapsed() < Duration::from_secs(10) {
        let Ok(length) = recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty()) else { continue };
        let source = |ip: Ipv4Addr| length >= 20 && buffer[12..16] == ip.octets();
        seen |= source(from);
        if source(own) {
            return seen;
        }
    }
    panic!("{sender:?} cannot even send as itself to {to:?}");
}

/// Addresses that are APP's neighbours', strangers', the services' own, and no addresses at all.
const OTHERS: [&str; 9] =
    ["10.0.2.99", "10.0.1.10", "10.0.9.10", "10.0.2.1", "198.18.0.10", "172.16.0.10", METADATA, "127.0.0.1", "0.0.0.0"];

#[test]
fn an_instance_speaks_as_itself_alone() {
    if !within("spoof", "an_instance_speaks_as_itself_alone") {
        return;
    }
    let _both = Both::new();
    let (app, web, edge) = (APP.id(), WEB.id(), EDGE_ONE.id());
    for other in OTHERS {
        assert!(!arrives(&web, TCP, (&app, APP.ip), other, (WEB.ip, 80)), "TCP as {other}, to another subnet");
        assert!(!arrives(&edge, ICMP, (&app, APP.ip), other, (EDGE_ONE.ip, 0)), "ICMP as {other}, over the link");
        for service in [METADATA, RESOLVER, "10.0.2.1"] {
            for kind in [UDP, TCP, ICMP] {
                assert!(!arrives(VPC, kind, (&app, APP.ip), other, (service, 53)), "as {other}, to {service}");
            }
        }
    }
    for other in ["10.0.2.10", "10.0.1.99"] {
        assert!(!arrives(&app, UDP, (&web, WEB.ip), other, (APP.ip, 53)), "UDP as {other}");
    }
}

/// Without its source check an instance forwards for others; to the services it is still itself.
#[test]
fn an_unchecked_instance_is_itself_to_the_services() {
    if !within("spoof", "an_unchecked_instance_is_itself_to_the_services") {
        return;
    }
    let mut both = Both::new();
    let app = APP.id();
    let interface = both.records.interfaces.iter_mut().find(|i| i.network_interface_id == APP.interface()).unwrap();
    interface.source_dest_check = false;
    both.pass();
    assert!(arrives(&WEB.id(), TCP, (&app, APP.ip), "10.0.2.99", (WEB.ip, 80)), "its check is off");
    for service in [METADATA, RESOLVER] {
        for kind in [UDP, TCP, ICMP] {
            assert!(!arrives(VPC, kind, (&app, APP.ip), WEB.ip, (service, 53)), "as another, to {service}");
        }
    }
}

/// An instance gets packets to other addresses only when its check is off, whatever a route table says.
#[test]
fn what_is_for_others_does_not_reach_an_instance() {
    if !within("spoof", "what_is_for_others_does_not_reach_an_instance") {
        return;
    }
    let mut both = Both::new();
    let target = RouteTarget::NetworkInterface(APP.interface());
    for table in &mut both.records.route_tables {
        table.routes.push(Route { destination_cidr_block: "192.0.2.0/24".into(), target: target.clone() });
    }
    // The instance would take it: it has the address, too.
    let take = || {
        let mut netlink = Netlink::here().unwrap();
        let lo = netlink.index("lo").unwrap();
        netlink.add_address(lo, "192.0.2.7/32".parse().unwrap()).unwrap();
    };
    both.pass();
    Namespace::named(&APP.id()).enter(take).unwrap();
    let passes = |own: (&str, u16)| {
        let raw = || socket(AddressFamily::Inet, SockType::Raw, SockFlag::SOCK_CLOEXEC, UDP.0).unwrap();
        let socket = Namespace::named(&APP.id()).enter(raw).unwrap();
        setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::new(0, 200_000)).unwrap();
        send(&WEB.id(), UDP, WEB.ip, ("192.0.2.7", 53));
        send(&WEB.id(), UDP, WEB.ip, own);
        let (begun, mut buffer, mut seen) = (Instant::now(), [0; 256], false);
        while begun.elapsed() < Duration::from_secs(10) {
            let Ok(length) = recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty()) else { continue };
            seen |= length >= 20 && buffer[16..20] == [192, 0, 2, 7];
            if length >= 20 && buffer[16..20] == [10, 0, 2, 10] {
                return seen;
            }
        }
        panic!("nothing arrives at all");
    };
    assert!(!passes((APP.ip, 53)));
    let interface = both.records.interfaces.iter_mut().find(|i| i.network_interface_id == APP.interface()).unwrap();
    interface.source_dest_check = false;
    both.pass();
    assert!(passes((APP.ip, 53)), "its check is off");
}

/// The services of a VPC are its own instances': neither the customer's network nor the internet nor another VPC has them.
#[test]
fn services_answer_no_stranger() {
    if !within("spoof", "services_answer_no_stranger") {
        return;
    }
    let both = Both::new();
    let outpost_router = super::super::router(VPC, OUTPOST, REGION);
    let raw = || socket(AddressFamily::Inet, SockType::Raw, SockFlag::SOCK_CLOEXEC, UDP.0).unwrap();
    let look = |place: &str, from: &str| {
        let socket = Namespace::named(place).enter(raw).unwrap();
        setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::new(0, 300_000)).unwrap();
        let from: Ipv4Addr = from.parse().unwrap();
        move || {
            let mut buffer = [0; 256];
            while let Ok(length) = recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
                if length >= 20 && buffer[12..16] == from.octets() {
                    return true;
                }
            }
            false
        }
    };
    // The customer's network has a way to the subnet's router.
    let came = look(&outpost_router, "172.16.0.10");
    send("onprem", UDP, "172.16.0.10", ("10.0.9.1", 53));
    assert!(!came());
    // As an instance of the VPC, from outside.
    let came = look(&outpost_router, EDGE_ONE.ip);
    send("onprem", UDP, EDGE_ONE.ip, ("10.0.9.1", 53));
    assert!(!came());
    let came = look(&outpost_router, EDGE_ONE.ip);
    send(&EDGE_ONE.id(), UDP, EDGE_ONE.ip, ("10.0.9.1", 53));
    assert!(came(), "its own instance has it");
    drop(both);
}

/// Link-local addresses lead nowhere but to the link.
#[test]
fn link_local_packets_do_not_leave() {
    if !within("spoof", "link_local_packets_do_not_leave") {
        return;
    }
    let _both = Both::new();
    let take = || {
        let mut netlink = Netlink::here().unwrap();
        let lo = netlink.index("lo").unwrap();
        for address in ["169.254.77.77/32", "192.0.2.77/32"] {
            netlink.add_address(lo, address.parse().unwrap()).unwrap();
        }
        let socket = socket(AddressFamily::Inet, SockType::Raw, SockFlag::SOCK_CLOEXEC, UDP.0).unwrap();
        setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::new(0, 200_000)).unwrap();
        socket
    };
    let socket = Namespace::named("internet").enter(take).unwrap();
    send(&WEB.id(), UDP, WEB.ip, ("169.254.77.77", 53));
    send(&WEB.id(), UDP, WEB.ip, ("192.0.2.77", 53));
    let (begun, mut buffer, mut leaked) = (Instant::now(), [0; 256], false);
    while begun.elapsed() < Duration::from_secs(10) {
        let Ok(length) = recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty()) else { continue };
        leaked |= length >= 20 && buffer[16..20] == [169, 254, 77, 77];
        if length >= 20 && buffer[16..20] == [192, 0, 2, 77] {
            assert!(!leaked);
            return;
        }
    }
    panic!("nothing arrives at all");
}
