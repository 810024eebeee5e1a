//! Tracked flows (nfnetlink, conntrack subsystem): list them, forget some.

use std::net::Ipv4Addr;

use nix::libc;

use super::Netlink;
use super::route::octets;
use super::wire::{Message, attribute};
use crate::Error;

/// `NFNL_SUBSYS_CTNETLINK << 8` of linux/netfilter/nfnetlink.h.
const SUBSYSTEM: u16 = 1 << 8;
/// `IPCTNL_MSG_CT_NEW`, `_GET`, `_DELETE` of linux/netfilter/nfnetlink_conntrack.h.
const NEW: u16 = SUBSYSTEM;
const GET: u16 = SUBSYSTEM | 1;
const DELETE: u16 = SUBSYSTEM | 2;
/// `CTA_TUPLE_ORIG`, `CTA_TUPLE_REPLY`, `CTA_TUPLE_IP`, `CTA_IP_V4_SRC`, `CTA_IP_V4_DST`.
const ORIGINAL: u16 = 1;
const REPLY: u16 = 2;
const ADDRESSES: u16 = 1;
const SOURCE: u16 = 1;
const DESTINATION: u16 = 2;

/// Source and destination of one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tuple {
    /// Source address.
    pub source: Ipv4Addr,
    /// Destination address.
    pub destination: Ipv4Addr,
}

/// A tracked flow: its first packet's addresses, and those that replies carry on arrival.
/// They mirror each other unless addresses were translated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flow {
    /// As the first packet came.
    pub original: Tuple,
    /// As replies come.
    pub reply: Tuple,
    /// The kernel's description of the first direction, which names the flow.
    name: Vec<u8>,
}

impl Netlink {
    /// Every tracked IPv4 flow of the namespace; on a socket of [`Netlink::open_flows`].
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn flows(&mut self) -> Result<Vec<Flow>, Error> {
        let mut flows = Vec::new();
        self.dump("list flows", Message::new(GET, 0, &body()), |kind, bytes| {
            if kind == NEW {
                flows.extend(parse(bytes));
            }
        })?;
        Ok(flows)
    }

    /// Forgets a flow: its next packet is judged anew.
    ///
    /// # Errors
    /// When it is gone already ([`Error::is_absent`]).
    pub fn forget(&mut self, flow: &Flow) -> Result<(), Error> {
        let mut message = Message::new(DELETE, 0, &body());
        message.nest(ORIGINAL, &flow.name, |_| {});
        self.change("forget a flow", message)
    }
}

/// `struct nfgenmsg`.
fn body() -> [u8; 4] {
    [libc::AF_INET as u8, 0, 0, 0]
}

fn parse(bytes: &[u8]) -> Option<Flow> {
    let rest = bytes.get(4..)?;
    let name = attribute(rest, ORIGINAL)?;
    Some(Flow { original: tuple(name)?, reply: tuple(attribute(rest, REPLY)?)?, name: name.to_vec() })
}

fn tuple(bytes: &[u8]) -> Option<Tuple> {
    let addresses = attribute(bytes, ADDRESSES)?;
    let of = |kind| attribute(addresses, kind).and_then(octets).map(Ipv4Addr::from);
    Some(Tuple { source: of(SOURCE)?, destination: of(DESTINATION)? })
}
