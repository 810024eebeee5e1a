//! Interfaces: veth pairs, groups, addresses.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;
use std::str::FromStr;

use nix::libc;

use super::Netlink;
use super::route::{Cidr, octets};
use super::wire::{Message, attribute, number, text};
use crate::{Error, Namespace};

/// `VETH_INFO_PEER` of linux/veth.h.
const VETH_INFO_PEER: u16 = 1;

/// `IF_OPER_UP` of linux/if.h.
const OPERATIONAL: u8 = 6;

/// A hardware address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac(pub [u8; 6]);

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl FromStr for Mac {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let malformed = || Error::Malformed(format!("hardware address {text:?}"));
        let parts: Vec<u8> = text
            .split(':')
            .map(|part| u8::from_str_radix(part, 16).map_err(|_| malformed()))
            .collect::<Result<_, _>>()?;
        Ok(Self(parts.try_into().map_err(|_| malformed())?))
    }
}

/// One end of a veth pair.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct VethEnd {
    /// At most 15 characters.
    pub name: String,
    /// Hardware address; the kernel's choice when absent.
    pub mac: Option<Mac>,
    /// Device group (nftables' `iifgroup`).
    pub group: u32,
    /// Bytes.
    pub mtu: u32,
}

/// A veth pair between two places.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Veth {
    /// The end in the place of the request.
    pub near: VethEnd,
    /// The other end.
    pub far: VethEnd,
}

/// What the kernel has of an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkState {
    /// Number within its namespace.
    pub index: u32,
    /// Hardware address; absent for `lo`.
    pub mac: Option<Mac>,
    /// Device group.
    pub group: u32,
    /// Bytes.
    pub mtu: u32,
    /// Whether it is up.
    pub up: bool,
    /// Whether it carries packets (RFC 2863, operational state "up"): before that, they are lost.
    pub carries: bool,
    /// IPv4 addresses.
    pub addresses: Vec<Cidr>,
}

impl Netlink {
    /// Makes a veth pair, its far end in the namespace `far`; both ends are down.
    ///
    /// # Errors
    /// When one of the names is taken ([`Error::is_present`]), or the kernel refuses.
    pub fn add_veth(&mut self, veth: &Veth, far: &Namespace) -> Result<(), Error> {
        let what = format!("add veth {} to {}", veth.near.name, far.path().display());
        let far = File::open(far.path()).map_err(Error::at(what.as_str()))?;
        let head = link_body(distinct_index(&veth.near), 0, 0);
        let mut message = Message::new(libc::RTM_NEWLINK, libc::NLM_F_CREATE | libc::NLM_F_EXCL, &head);
        put_end(&mut message, &veth.near);
        message.nest(libc::IFLA_LINKINFO, &[], |m| {
            m.put_text(libc::IFLA_INFO_KIND, "veth").nest(libc::IFLA_INFO_DATA, &[], |m| {
                m.nest(VETH_INFO_PEER, &link_body(0, 0, 0), |m| {
                    put_end(m, &veth.far);
                    m.put_u32(libc::IFLA_NET_NS_FD, far.as_raw_fd().cast_unsigned());
                });
            });
        });
        self.change(&what, message)
    }

    /// Brings an interface up.
    ///
    /// # Errors
    /// When there is none of that name ([`Error::is_absent`]).
    pub fn set_up(&mut self, name: &str) -> Result<(), Error> {
        let up = libc::IFF_UP.cast_unsigned();
        let mut message = Message::new(libc::RTM_NEWLINK, 0, &link_body(0, up, up));
        message.put_text(libc::IFLA_IFNAME, name);
        self.change(&format!("set {name} up"), message)
    }

    /// Removes an interface (both ends of a veth pair), with its addresses, routes and neighbours.
    ///
    /// # Errors
    /// When there is none of that name ([`Error::is_absent`]).
    pub fn delete_link(&mut self, name: &str) -> Result<(), Error> {
        let mut message = Message::new(libc::RTM_DELLINK, 0, &link_body(0, 0, 0));
        message.put_text(libc::IFLA_IFNAME, name);
        self.change(&format!("delete {name}"), message)
    }

    /// The number of an interface.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn index(&mut self, name: &str) -> Result<u32, Error> {
        self.link(name).map(|link| link.index)
    }

    /// One interface. Unlike [`Netlink::links`], this makes the kernel settle first whether it
    /// carries packets (`rtnl_getlink` calls `linkwatch_sync_dev`, since Linux 6.9).
    ///
    /// # Errors
    /// When there is none of that name ([`Error::is_absent`]).
    pub fn link(&mut self, name: &str) -> Result<LinkState, Error> {
        let what = format!("look at {name}");
        let mut message = Message::new(libc::RTM_GETLINK, 0, &link_body(0, 0, 0));
        message.put_text(libc::IFLA_IFNAME, name);
        let mut found = None;
        self.ask(&what, message, |_, body| found = parse_link(body))?;
        found.map(|(_, link)| link).ok_or(Error::Malformed(what))
    }

    /// Every interface, by name.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn links(&mut self) -> Result<BTreeMap<String, LinkState>, Error> {
        let mut links = BTreeMap::new();
        let request = Message::new(libc::RTM_GETLINK, 0, &link_body(0, 0, 0));
        self.dump("list interfaces", request, |_, body| links.extend(parse_link(body)))?;
        let mut addresses = Vec::new();
        let request = Message::new(libc::RTM_GETADDR, 0, &[libc::AF_INET as u8, 0, 0, 0, 0, 0, 0, 0]);
        self.dump("list addresses", request, |_, body| addresses.extend(parse_address(body)))?;
        for (index, address) in addresses {
            let of = links.values_mut().find(|link: &&mut LinkState| link.index == index);
            of.into_iter().for_each(|link| link.addresses.push(address));
        }
        Ok(links)
    }

    /// Gives an interface an address; that it has it is no error.
    ///
    /// # Errors
    /// When there is no such interface.
    pub fn add_address(&mut self, index: u32, address: Cidr) -> Result<(), Error> {
        let flags = libc::NLM_F_CREATE | libc::NLM_F_REPLACE;
        self.change(&format!("add address {address}"), address_message(libc::RTM_NEWADDR, flags, index, address))
    }

    /// Takes an address from an interface.
    ///
    /// # Errors
    /// When it does not have it ([`Error::is_absent`]).
    pub fn delete_address(&mut self, index: u32, address: Cidr) -> Result<(), Error> {
        self.change(&format!("delete address {address}"), address_message(libc::RTM_DELADDR, 0, index, address))
    }
}

/// An interface number that the far end will not have, made from the hardware address.
///
/// Numbers are per namespace, so both ends of a pair may get the same one, and then the kernel
/// takes the interface for a real one and may wait a second before it believes that its link is up
/// (`linkwatch_urgent_event` compares an interface's number with its peer's): packets are lost.
fn distinct_index(end: &VethEnd) -> u32 {
    let Some(Mac([_, _, a, b, c, d])) = end.mac else { return 0 };
    u32::from_be_bytes([a, b, c, d]) & 0x3fff_ffff | 0x4000_0000
}

/// `struct ifinfomsg`.
fn link_body(index: u32, flags: u32, mask: u32) -> [u8; 16] {
    let mut body = [0; 16];
    body[4..8].copy_from_slice(&index.to_ne_bytes());
    body[8..12].copy_from_slice(&flags.to_ne_bytes());
    body[12..16].copy_from_slice(&mask.to_ne_bytes());
    body
}

fn put_end(message: &mut Message, end: &VethEnd) {
    message.put_text(libc::IFLA_IFNAME, &end.name);
    message.put_u32(libc::IFLA_MTU, end.mtu).put_u32(libc::IFLA_GROUP, end.group);
    if let Some(Mac(bytes)) = end.mac {
        message.put(libc::IFLA_ADDRESS, &bytes);
    }
}

/// `struct ifaddrmsg` and its attributes.
fn address_message(kind: u16, flags: i32, index: u32, address: Cidr) -> Message {
    let mut body = [libc::AF_INET as u8, address.length, 0, 0, 0, 0, 0, 0];
    body[4..8].copy_from_slice(&index.to_ne_bytes());
    let mut message = Message::new(kind, flags, &body);
    message.put(libc::IFA_LOCAL, &address.address.octets()).put(libc::IFA_ADDRESS, &address.address.octets());
    message
}

fn parse_link(body: &[u8]) -> Option<(String, LinkState)> {
    let (index, flags) = (number(body, 4)?, number(body, 8)?);
    let rest = body.get(16..)?;
    let of = |kind| attribute(rest, kind).and_then(|value| number(value, 0)).unwrap_or_default();
    let mac = attribute(rest, libc::IFLA_ADDRESS).and_then(|value| <[u8; 6]>::try_from(value).ok());
    let state = LinkState {
        index,
        mac: mac.filter(|bytes| bytes != &[0; 6]).map(Mac),
        group: of(libc::IFLA_GROUP),
        mtu: of(libc::IFLA_MTU),
        up: flags & libc::IFF_UP.cast_unsigned() != 0,
        // Not `IFF_RUNNING`, which is also set while the state is still unknown.
        carries: attribute(rest, libc::IFLA_OPERSTATE) == Some(&[OPERATIONAL]),
        addresses: Vec::new(),
    };
    Some((text(attribute(rest, libc::IFLA_IFNAME)?), state))
}

fn parse_address(body: &[u8]) -> Option<(u32, Cidr)> {
    let length = *body.get(1)?;
    let index = number(body, 4)?;
    let local = attribute(body.get(8..)?, libc::IFA_LOCAL)?;
    Some((index, Cidr { address: Ipv4Addr::from(octets(local)?), length }))
}
