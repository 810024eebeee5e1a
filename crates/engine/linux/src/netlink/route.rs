//! Addresses as blocks, routes, routing rules, permanent neighbours (IPv4).

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use nix::libc;

use super::Netlink;
use super::link::Mac;
use super::wire::{Message, attribute, number, text};
use crate::Error;

/// An address with the length of its network's prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cidr {
    /// The address; host bits may be set, as in an interface's.
    pub address: Ipv4Addr,
    /// 0 to 32.
    pub length: u8,
}

impl Cidr {
    /// A single address.
    #[must_use]
    pub fn host(address: Ipv4Addr) -> Self {
        Self { address, length: 32 }
    }

    /// The block it lies in: host bits cleared.
    #[must_use]
    pub fn network(self) -> Self {
        Self { address: Ipv4Addr::from(u32::from(self.address) & self.mask()), length: self.length }
    }

    /// The `n`-th address of its block.
    #[must_use]
    pub fn nth(self, n: u32) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.network().address).wrapping_add(n))
    }

    /// Whether `address` lies in its block.
    #[must_use]
    pub fn contains(self, address: Ipv4Addr) -> bool {
        u32::from(address) & self.mask() == u32::from(self.address) & self.mask()
    }

    fn mask(self) -> u32 {
        u32::MAX.checked_shl(32 - u32::from(self.length)).unwrap_or(0)
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

impl FromStr for Cidr {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let parse = || {
            let (address, length) = text.split_once('/').unwrap_or((text, "32"));
            Some(Self { address: address.parse().ok()?, length: length.parse().ok().filter(|n| *n <= 32)? })
        };
        parse().ok_or_else(|| Error::Malformed(format!("block {text:?}")))
    }
}

/// What becomes of packets that a route matches.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum RouteKind {
    /// Out of an interface, perhaps to a neighbour on it (taken to be on the link).
    Via {
        /// The interface's name.
        device: String,
        /// The neighbour.
        gateway: Option<Ipv4Addr>,
    },
    /// Dropped in silence.
    Blackhole,
    /// This table says nothing: the next rule decides.
    Throw,
}

/// A route of one table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route {
    /// The table.
    pub table: u32,
    /// The destination.
    pub to: Cidr,
    /// What becomes of packets.
    pub kind: RouteKind,
}

/// Which packets a rule applies to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Selector {
    /// All.
    All,
    /// Those with this firewall mark.
    Mark(u32),
    /// Those that came in through this interface.
    From(String),
}

/// A routing policy rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rule {
    /// Lower is asked first.
    pub priority: u32,
    /// Which packets.
    pub selector: Selector,
    /// The table to look in; none: drop in silence.
    pub table: Option<u32>,
}

/// A permanent neighbour entry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Neighbour {
    /// The interface's name.
    pub device: String,
    /// Its address.
    pub address: Ipv4Addr,
    /// Its hardware address.
    pub mac: Mac,
}

impl Netlink {
    /// Adds or replaces a route; `index` is the number of its interface.
    ///
    /// # Errors
    /// When the interface is down or missing.
    pub fn replace_route(&mut self, route: &Route, index: Option<u32>) -> Result<(), Error> {
        let flags = libc::NLM_F_CREATE | libc::NLM_F_REPLACE;
        self.change(&format!("route {}", route.to), route_message(libc::RTM_NEWROUTE, flags, route, index))
    }

    /// Removes a route.
    ///
    /// # Errors
    /// When there is none ([`Error::is_absent`]).
    pub fn delete_route(&mut self, route: &Route, index: Option<u32>) -> Result<(), Error> {
        self.change(&format!("delete route {}", route.to), route_message(libc::RTM_DELROUTE, 0, route, index))
    }

    /// Routes of every table but `local`, those of kinds that [`RouteKind`] has, without the ones that
    /// the kernel made itself for addresses.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn routes(&mut self) -> Result<Vec<Route>, Error> {
        let links = self.links()?;
        let name = |index| links.iter().find(|(_, link)| link.index == index).map(|(name, _)| name.clone());
        let mut routes = Vec::new();
        let request = Message::new(libc::RTM_GETROUTE, 0, &family_body());
        self.dump("list routes", request, |_, body| routes.extend(parse_route(body, name)))?;
        Ok(routes)
    }

    /// Adds a rule; that it is there is no error.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn add_rule(&mut self, rule: &Rule) -> Result<(), Error> {
        let flags = libc::NLM_F_CREATE | libc::NLM_F_EXCL;
        match self.change(&format!("rule {}", rule.priority), rule_message(libc::RTM_NEWRULE, flags, rule)) {
            Err(e) if e.is_present() => Ok(()),
            other => other,
        }
    }

    /// Removes a rule.
    ///
    /// # Errors
    /// When there is none ([`Error::is_absent`]).
    pub fn delete_rule(&mut self, rule: &Rule) -> Result<(), Error> {
        self.change(&format!("delete rule {}", rule.priority), rule_message(libc::RTM_DELRULE, 0, rule))
    }

    /// Every rule that [`Rule`] can express, but the kernel's first (priority 0).
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn rules(&mut self) -> Result<Vec<Rule>, Error> {
        let mut rules = Vec::new();
        let request = Message::new(libc::RTM_GETRULE, 0, &family_body());
        self.dump("list rules", request, |_, body| rules.extend(parse_rule(body)))?;
        rules.retain(|rule| rule.priority > 0);
        Ok(rules)
    }

    /// Adds or replaces a permanent neighbour; `index` is the number of its interface.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn replace_neighbour(&mut self, neighbour: &Neighbour, index: u32) -> Result<(), Error> {
        let mut body = [0; 12];
        body[0] = libc::AF_INET as u8;
        body[4..8].copy_from_slice(&index.to_ne_bytes());
        body[8..10].copy_from_slice(&libc::NUD_PERMANENT.to_ne_bytes());
        let mut message = Message::new(libc::RTM_NEWNEIGH, libc::NLM_F_CREATE | libc::NLM_F_REPLACE, &body);
        message.put(libc::NDA_DST, &neighbour.address.octets()).put(libc::NDA_LLADDR, &neighbour.mac.0);
        self.change(&format!("neighbour {}", neighbour.address), message)
    }
}

fn family_body() -> [u8; 12] {
    let mut body = [0; 12];
    body[0] = libc::AF_INET as u8;
    body
}

/// `RTNH_F_ONLINK` of linux/rtnetlink.h: take the gateway to be on the link.
const RTNH_F_ONLINK: u32 = 4;

/// `struct rtmsg` and its attributes.
fn route_message(kind: u16, flags: i32, route: &Route, index: Option<u32>) -> Message {
    let mut body = family_body();
    body[1] = route.to.length;
    body[5] = libc::RTPROT_STATIC;
    let (gateway, action) = match &route.kind {
        RouteKind::Via { gateway, .. } => (*gateway, libc::RTN_UNICAST),
        RouteKind::Blackhole => (None, libc::RTN_BLACKHOLE),
        RouteKind::Throw => (None, libc::RTN_THROW),
    };
    let direct = action == libc::RTN_UNICAST && gateway.is_none();
    body[6] = if direct { libc::RT_SCOPE_LINK } else { libc::RT_SCOPE_UNIVERSE };
    body[7] = action;
    if gateway.is_some() {
        body[8..12].copy_from_slice(&RTNH_F_ONLINK.to_ne_bytes());
    }
    let mut message = Message::new(kind, flags, &body);
    message.put_u32(libc::RTA_TABLE, route.table).put(libc::RTA_DST, &route.to.network().address.octets());
    if let Some(gateway) = gateway {
        message.put(libc::RTA_GATEWAY, &gateway.octets());
    }
    if let Some(index) = index {
        message.put_u32(libc::RTA_OIF, index);
    }
    message
}

fn parse_route(body: &[u8], name: impl Fn(u32) -> Option<String>) -> Option<Route> {
    let (length, action) = (*body.get(1)?, *body.get(7)?);
    let rest = body.get(12..)?;
    let table = attribute(rest, libc::RTA_TABLE).and_then(|v| number(v, 0))?;
    if table == u32::from(libc::RT_TABLE_LOCAL) || body.get(5) == Some(&libc::RTPROT_KERNEL) {
        return None;
    }
    let address = |kind| attribute(rest, kind).and_then(octets).map(Ipv4Addr::from);
    let kind = match action {
        libc::RTN_UNICAST => RouteKind::Via {
            device: name(attribute(rest, libc::RTA_OIF).and_then(|v| number(v, 0))?)?,
            gateway: address(libc::RTA_GATEWAY),
        },
        libc::RTN_BLACKHOLE => RouteKind::Blackhole,
        libc::RTN_THROW => RouteKind::Throw,
        _ => return None,
    };
    let to = Cidr { address: address(libc::RTA_DST).unwrap_or(Ipv4Addr::UNSPECIFIED), length };
    Some(Route { table, to, kind })
}

/// `FR_ACT_TO_TBL` and `FR_ACT_BLACKHOLE` of linux/fib_rules.h.
const TO_TABLE: u8 = 1;
const BLACKHOLE: u8 = 6;
/// `FRA_IIFNAME`, `FRA_PRIORITY`, `FRA_FWMARK`, `FRA_TABLE` of linux/fib_rules.h.
const FRA_IIFNAME: u16 = 3;
const FRA_PRIORITY: u16 = 6;
const FRA_FWMARK: u16 = 10;
const FRA_TABLE: u16 = 15;

/// `struct fib_rule_hdr` and its attributes.
fn rule_message(kind: u16, flags: i32, rule: &Rule) -> Message {
    let mut body = family_body();
    body[7] = if rule.table.is_some() { TO_TABLE } else { BLACKHOLE };
    let mut message = Message::new(kind, flags, &body);
    message.put_u32(FRA_PRIORITY, rule.priority);
    if let Some(table) = rule.table {
        message.put_u32(FRA_TABLE, table);
    }
    match &rule.selector {
        Selector::All => {}
        Selector::Mark(mark) => {
            message.put_u32(FRA_FWMARK, *mark);
        }
        Selector::From(device) => {
            message.put_text(FRA_IIFNAME, device);
        }
    }
    message
}

fn parse_rule(body: &[u8]) -> Option<Rule> {
    let action = *body.get(7)?;
    let rest = body.get(12..)?;
    let of = |kind| attribute(rest, kind).and_then(|v| number(v, 0));
    let selector = match (of(FRA_FWMARK).filter(|mark| *mark != 0), attribute(rest, FRA_IIFNAME)) {
        (Some(mark), _) => Selector::Mark(mark),
        (None, Some(device)) => Selector::From(text(device)),
        (None, None) => Selector::All,
    };
    let table = match action {
        TO_TABLE => Some(of(FRA_TABLE)?),
        BLACKHOLE => None,
        _ => return None,
    };
    Some(Rule { priority: of(FRA_PRIORITY).unwrap_or(0), selector, table })
}

/// Four bytes of an IPv4 address.
pub(super) fn octets(value: &[u8]) -> Option<[u8; 4]> {
    value.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks() {
        let block: Cidr = "10.0.1.77/24".parse().unwrap();
        assert_eq!(block.network().to_string(), "10.0.1.0/24");
        assert_eq!(block.nth(2), Ipv4Addr::new(10, 0, 1, 2));
        assert!(block.contains(Ipv4Addr::new(10, 0, 1, 255)));
        assert!(!block.contains(Ipv4Addr::new(10, 0, 2, 0)));
        assert!("0.0.0.0/0".parse::<Cidr>().unwrap().contains(Ipv4Addr::new(1, 2, 3, 4)));
        for bad in ["", "10.0.0.0/33", "10.0.0/8", "10.0.0.0/x", "::/0", "10.0.0.0/-1"] {
            assert!(bad.parse::<Cidr>().is_err(), "{bad:?}");
        }
    }
}
