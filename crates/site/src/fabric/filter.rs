//! A router's nftables table: source and destination check, its own services, route-table marks, security groups.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use eksile_ec2::records::{NetworkInterface, Peer, Rule, SecurityGroup};
use eksile_linux::netlink::Cidr;

use super::router::Ways;
use super::topology::{Network, Owner};
use super::{Records, names};

/// What a router's table is written from.
pub(super) struct Filter<'a> {
    network: &'a Network<'a>,
    records: &'a Records,
    site: &'a str,
    /// Device towards an Outpost, whose packets are marked by the subnet they come from.
    links: Vec<String>,
    /// Pairs of devices between which nothing may pass.
    apart: Vec<(String, String)>,
}

impl<'a> Filter<'a> {
    pub(super) fn new(network: &'a Network<'a>, records: &'a Records, site: &'a str) -> Self {
        Self { network, records, site, links: Vec::new(), apart: Vec::new() }
    }

    pub(super) fn ways(&mut self, ways: &Ways, zone: bool) {
        let devices = ways.sites.iter().map(|(_, device)| device.clone());
        if zone {
            self.links.extend(devices);
        } else if let Some(local) = &ways.local {
            // A VPC is no transit between the customer's network and the Region.
            self.apart.extend(devices.flat_map(|d| [(local.clone(), d.clone()), (d, local.clone())]));
        }
    }

    /// The script that replaces the whole table. Only parsed values and names made here go into it.
    pub(super) fn text(&self, pending: &mut Vec<String>) -> String {
        let mut text = String::from("table ip vpc\ndelete table ip vpc\ntable ip vpc {\n");
        self.sources(&mut text);
        services(&mut text);
        self.marks(&mut text);
        self.groups(&mut text, pending);
        let [out, into] = self.lists(&mut text);
        line(&mut text, &format!("map sgo {{ type ifname : verdict;{} }}", elements(&out)));
        line(&mut text, &format!("map sgi {{ type ifname : verdict;{} }}", elements(&into)));
        let state = "ct state established,related accept\n\t\tct state invalid drop\n\t\t";
        let apart: String =
            self.apart.iter().map(|(a, b)| format!("iifname \"{a}\" oifname \"{b}\" drop\n\t\t")).collect();
        chain(
            &mut text,
            "leave",
            &format!(
                "type filter hook forward priority 0; policy accept;\n\t\t{LINK_LOCAL}{apart}{state}iifname vmap @sgo"
            ),
        );
        chain(
            &mut text,
            "enter",
            &format!("type filter hook forward priority 10; policy accept;\n\t\t{FOREIGN}{state}oifname vmap @sgi"),
        );
        text.push_str("}\n");
        text
    }

    /// Source check: from an interface come only its own addresses, unless it is switched off.
    fn sources(&self, text: &mut String) {
        let (mut own, mut free) = (Vec::new(), Vec::new());
        for port in self.network.ports.values() {
            let device = names::device('e', &port.record.network_interface_id);
            if matches!(port.owner, Owner::Nat(_)) || !port.record.source_dest_check {
                free.push(format!("\"{device}\""));
            }
            own.extend([port.address].iter().chain(&port.secondary).map(|a| format!("\"{device}\" . {a}")));
        }
        line(text, &format!("set own {{ type ifname . ipv4_addr;{} }}", elements(&own)));
        line(text, &format!("set unchecked {{ type ifname;{} }}", elements(&free)));
    }

    /// The mark selects the route table: by the subnet's device group, or by its block when the
    /// packet came over a service link.
    fn marks(&self, text: &mut String) {
        let (mut groups, mut blocks) = (Vec::new(), Vec::new());
        for subnet in &self.network.subnets {
            let Some(table) = self.network.table_of(subnet.record) else { continue };
            let mark = names::number(&table.route_table_id);
            if subnet.site == self.site {
                groups.push(format!("{:#x} : {mark:#x}", names::number(&subnet.record.subnet_id)));
            } else {
                blocks.push(format!("{} : {mark:#x}", subnet.block.network()));
            }
        }
        line(text, &format!("map by_group {{ type devgroup : mark;{} }}", elements(&groups)));
        line(text, &format!("map by_block {{ type ipv4_addr : mark; flags interval;{} }}", elements(&blocks)));
        let mut rules = String::from("type filter hook prerouting priority raw; policy accept;\n\t\t");
        rules.push_str("iifname \"e*\" iifname != @unchecked iifname . ip saddr != @own drop\n\t\t");
        rules.push_str("meta mark set iifgroup map @by_group");
        for device in &self.links {
            let _infallible = write!(rules, "\n\t\tiifname \"{device}\" meta mark set ip saddr map @by_block");
        }
        chain(text, "arrive", &rules);
    }

    /// One chain for each group and direction, one set for each group that a rule refers to.
    fn groups(&self, text: &mut String, pending: &mut Vec<String>) {
        let here: Vec<_> =
            self.records.security_groups.iter().filter(|g| g.vpc_id == self.network.vpc.vpc_id).collect();
        let rules = || here.iter().flat_map(|g| g.ingress.iter().chain(&g.egress));
        let referred: BTreeSet<_> = rules()
            .filter_map(|rule| match &rule.peer {
                Peer::Group(id) => Some(id.as_str()),
                Peer::Cidr(_) => None,
            })
            .collect();
        for id in referred {
            let members: BTreeSet<_> = self.interfaces(|i| i.groups.iter().any(|g| g == id)).collect();
            let members: Vec<_> = members.iter().map(ToString::to_string).collect();
            line(text, &format!("set {} {{ type ipv4_addr;{} }}", set_name(id), elements(&members)));
        }
        for group in here {
            for (direction, rules, peer) in [("out", &group.egress, "daddr"), ("in", &group.ingress, "saddr")] {
                let lines = rules.iter().filter_map(|rule| {
                    let matched = matched(rule, peer);
                    if matched.is_none() {
                        pending.push(format!("{}: rule {} is not understood", group.group_id, rule.rule_id));
                    }
                    matched.map(|m| format!("{m} accept").trim_start().to_owned())
                });
                chain(text, &chain_name(&group.group_id, direction), &lines.collect::<Vec<_>>().join("\n\t\t"));
            }
        }
    }

    /// One pair of chains for each distinct list of groups; returns which interface uses which.
    fn lists(&self, text: &mut String) -> [Vec<String>; 2] {
        let mut lists: BTreeMap<Vec<&str>, Vec<String>> = BTreeMap::new();
        for port in self.network.ports.values().filter(|p| !matches!(p.owner, Owner::Nat(_))) {
            let named = |group: &&SecurityGroup| port.record.groups.contains(&group.group_id);
            let groups = self.records.security_groups.iter().filter(named).map(|g| g.group_id.as_str()).collect();
            lists.entry(groups).or_default().push(names::device('e', &port.record.network_interface_id));
        }
        let (mut out, mut into) = (Vec::new(), Vec::new());
        for (groups, devices) in &lists {
            let name = format!("list_{:x}", names::number(&groups.join(",")));
            for (direction, uses) in [("out", &mut out), ("in", &mut into)] {
                let jumps: String = groups.iter().map(|g| format!("jump {}\n\t\t", chain_name(g, direction))).collect();
                chain(text, &format!("{name}_{direction}"), &format!("{jumps}drop"));
                uses.extend(devices.iter().map(|d| format!("\"{d}\" : jump {name}_{direction}")));
            }
        }
        [out, into]
    }

    /// Private addresses of the VPC's interfaces, on every site, that `wanted` chooses.
    fn interfaces(&self, wanted: impl Fn(&NetworkInterface) -> bool) -> impl Iterator<Item = std::net::Ipv4Addr> {
        let here = self.records.interfaces.iter().filter(|i| i.vpc_id == self.network.vpc.vpc_id);
        here.filter(move |i| wanted(i))
            .flat_map(|i| std::iter::once(&i.private_ip).chain(&i.secondary_private_ips))
            // One that is no address is told of where its interface is made.
            .filter_map(|text| text.parse().ok())
    }
}

/// What is link-local ends at the link (RFC 3927, 2.7): the metadata service's address, too.
const LINK_LOCAL: &str = "ip daddr 169.254.0.0/16 drop\n\t\tip saddr 169.254.0.0/16 drop\n\t\t";
/// Destination check: to an interface go only its own addresses' packets, unless it is switched off.
const FOREIGN: &str = "oifname \"e*\" oifname != @unchecked oifname . ip daddr != @own drop\n\t\t";

/// The router's own services (resolver, metadata) answer the VPC's interfaces alone, and an interface as itself alone,
/// even one whose check is switched off: the metadata service knows who asks by nothing else.
fn services(text: &mut String) {
    let rules = "type filter hook input priority 0; policy accept;\n\t\tiifname \"lo\" accept\n\t\t\
                 iifname . ip saddr != @own drop";
    chain(text, "serve", rules);
}

fn line(text: &mut String, content: &str) {
    text.push('\t');
    text.push_str(content);
    text.push('\n');
}

fn chain(text: &mut String, name: &str, rules: &str) {
    let _infallible = write!(text, "\tchain {name} {{\n\t\t{rules}\n\t}}\n");
}

fn elements(list: &[String]) -> String {
    if list.is_empty() { String::new() } else { format!(" elements = {{ {} }};", list.join(", ")) }
}

/// nftables names have no hyphen.
fn identifier(id: &str) -> String {
    id.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

fn set_name(group_id: &str) -> String {
    format!("members_{}", identifier(group_id))
}

fn chain_name(group_id: &str, direction: &str) -> String {
    format!("{}_{direction}", identifier(group_id))
}

/// A rule's match; nothing when it is not understood. `-1` means all (EC2 API, `IpPermission`).
fn matched(rule: &Rule, peer: &str) -> Option<String> {
    let peer = match &rule.peer {
        Peer::Group(id) => format!("ip {peer} @{} ", set_name(id)),
        Peer::Cidr(block) => match block.parse::<Cidr>().ok()? {
            Cidr { length: 0, .. } => String::new(),
            block => format!("ip {peer} {} ", block.network()),
        },
    };
    let name = match rule.ip_protocol.as_str() {
        "6" => "tcp",
        "17" => "udp",
        "1" => "icmp",
        name => name,
    };
    let protocol = match (name, (rule.from_port, rule.to_port)) {
        ("-1", _) => String::new(),
        (name @ ("tcp" | "udp"), (Some(from), Some(to))) if from >= 0 => {
            format!("{name} dport {}-{}", u16::try_from(from).ok()?, u16::try_from(to).ok()?)
        }
        ("icmp", (from, to)) => icmp(from, to)?,
        (name @ ("tcp" | "udp"), _) => format!("meta l4proto {name}"),
        (number, _) => format!("meta l4proto {}", number.parse::<u8>().ok()?),
    };
    Some(format!("{peer}{protocol}"))
}

fn icmp(kind: Option<i32>, code: Option<i32>) -> Option<String> {
    let byte = |n: i32| u8::try_from(n).ok();
    Some(match (kind.unwrap_or(-1), code.unwrap_or(-1)) {
        (-1, _) => "meta l4proto icmp".to_owned(),
        (kind, -1) => format!("icmp type {}", byte(kind)?),
        (kind, code) => format!("icmp type {} icmp code {}", byte(kind)?, byte(code)?),
    })
}
