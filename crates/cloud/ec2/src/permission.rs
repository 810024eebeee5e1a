//! Permissions of security groups: what callers write, and the single rules they stand for.

use eksile_aws::{Fault, Shape};

use crate::block::Block;
use crate::records::{Peer, Rule};
use crate::resource::invalid_value;

/// `IpPermission` of the EC2 API: one protocol and port range, several peers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Shape)]
pub(crate) struct IpPermission {
    /// `tcp`, `udp`, `icmp`, a protocol number, or `-1` for all.
    pub ip_protocol: Option<String>,
    /// First port, or ICMP type; -1 for all.
    pub from_port: Option<i32>,
    /// Last port, or ICMP code; -1 for all.
    pub to_port: Option<i32>,
    /// IPv4 peers.
    pub ip_ranges: Vec<IpRange>,
    /// IPv6 peers.
    pub ipv6_ranges: Vec<Ipv6Range>,
    /// Prefix lists as peers.
    pub prefix_list_ids: Vec<PrefixListId>,
    /// Groups as peers.
    #[shape(input = "Groups", output = "groups")]
    pub user_id_group_pairs: Vec<UserIdGroupPair>,
}

/// An IPv4 peer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Shape)]
pub(crate) struct IpRange {
    /// A block.
    pub cidr_ip: Option<String>,
    /// Free text.
    pub description: Option<String>,
}

/// An IPv6 peer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Shape)]
pub(crate) struct Ipv6Range {
    /// A block.
    pub cidr_ipv6: Option<String>,
}

/// A prefix list as a peer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Shape)]
pub(crate) struct PrefixListId {
    /// `pl-…`.
    pub prefix_list_id: Option<String>,
}

/// A group as a peer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Shape)]
pub(crate) struct UserIdGroupPair {
    /// `sg-…`.
    pub group_id: Option<String>,
    /// Name instead of id, in a default VPC.
    pub group_name: Option<String>,
    /// The group's account.
    pub user_id: Option<String>,
    /// Free text.
    pub description: Option<String>,
}

/// A rule that has no id yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Draft {
    pub(crate) ip_protocol: String,
    pub(crate) ports: Option<(i32, i32)>,
    pub(crate) peer: Peer,
    pub(crate) description: Option<String>,
}

impl Draft {
    /// Whether a rule says the same, whatever its description.
    pub(crate) fn is(&self, rule: &Rule) -> bool {
        self.ip_protocol == rule.ip_protocol && self.ports == rule.from_port.zip(rule.to_port) && self.peer == rule.peer
    }

    pub(crate) fn rule(self, rule_id: String) -> Rule {
        let Self { ip_protocol, ports, peer, description } = self;
        let (from_port, to_port) = ports.unzip();
        Rule { rule_id, ip_protocol, from_port, to_port, peer, description }
    }

    /// As EC2 words a rule in its errors.
    pub(crate) fn worded(&self) -> String {
        let peer = match &self.peer {
            Peer::Cidr(text) | Peer::Group(text) => text,
        };
        let protocol = if self.ip_protocol == "-1" { "ALL".to_owned() } else { self.ip_protocol.to_uppercase() };
        let ports = self.ports.map(|(from, to)| format!(", from port: {from}, to port: {to}")).unwrap_or_default();
        format!("peer: {peer}, {protocol}{ports}, ALLOW")
    }
}

/// The single rules that permissions stand for, in order.
///
/// # Errors
/// A protocol, port or peer that is none, a permission without a peer, or a kind of peer that is not built.
pub(crate) fn drafts(permissions: &[IpPermission]) -> Result<Vec<Draft>, Fault> {
    let mut drafts = Vec::new();
    for permission in permissions {
        let ip_protocol = protocol(permission.ip_protocol.as_deref())?;
        let ports = ports(&ip_protocol, permission.from_port, permission.to_port)?;
        if !permission.ipv6_ranges.is_empty() {
            return Err(Fault::not_implemented("A rule for IPv6 addresses"));
        }
        if !permission.prefix_list_ids.is_empty() {
            return Err(Fault::not_implemented("A rule for a prefix list"));
        }
        let draft = |(peer, description)| Draft { ip_protocol: ip_protocol.clone(), ports, peer, description };
        let peers = peers(permission)?;
        if peers.is_empty() {
            return Err(invalid_value("Invalid value 'null' for a security group rule's peer."));
        }
        drafts.extend(peers.into_iter().map(draft));
    }
    Ok(drafts)
}

fn peers(permission: &IpPermission) -> Result<Vec<(Peer, Option<String>)>, Fault> {
    let mut peers = Vec::new();
    for range in &permission.ip_ranges {
        let text = range.cidr_ip.as_deref().unwrap_or_default();
        let block: Block = text.parse().map_err(|_| invalid_value(format!("CIDR block {text} is malformed")))?;
        peers.push((Peer::Cidr(block.to_string()), range.description.clone()));
    }
    for pair in &permission.user_id_group_pairs {
        let Some(id) = &pair.group_id else { return Err(Fault::not_implemented("A rule for a group by its name")) };
        peers.push((Peer::Group(id.clone()), pair.description.clone()));
    }
    Ok(peers)
}

/// Names for the three protocols that have ports or types, numbers for all others.
fn protocol(text: Option<&str>) -> Result<String, Fault> {
    let text = text.ok_or_else(|| crate::resource::missing("ipProtocol"))?.to_ascii_lowercase();
    let name = match text.as_str() {
        "all" | "-1" => "-1",
        "6" => "tcp",
        "17" => "udp",
        "1" => "icmp",
        "tcp" | "udp" | "icmp" => text.as_str(),
        other if other.parse::<u8>().is_ok() => other,
        other => return Err(invalid_value(format!("Invalid value '{other}' for IP protocol. Unknown protocol."))),
    };
    Ok(name.to_owned())
}

fn ports(protocol: &str, from: Option<i32>, to: Option<i32>) -> Result<Option<(i32, i32)>, Fault> {
    match (protocol, from, to) {
        ("tcp" | "udp", Some(from), Some(to)) => port_range(from, to).map(Some),
        ("tcp" | "udp", ..) => {
            Err(invalid_value("Invalid value 'Must specify both from and to ports with TCP/UDP.' for portRange."))
        }
        ("icmp", from, to) => icmp(from.unwrap_or(-1), to.unwrap_or(-1)).map(Some),
        _ => Ok(None),
    }
}

fn port_range(from: i32, to: i32) -> Result<(i32, i32), Fault> {
    // All ports may be written as -1 to -1 (EC2 API reference, `IpPermission`).
    let (from, to) = if (from, to) == (-1, -1) { (0, 65_535) } else { (from, to) };
    let valid = 0..=65_535;
    if !valid.contains(&from) || !valid.contains(&to) || from > to {
        return Err(invalid_value(format!("Invalid value '{from}-{to}' for portRange.")));
    }
    Ok((from, to))
}

fn icmp(kind: i32, code: i32) -> Result<(i32, i32), Fault> {
    let valid = -1..=255;
    if !valid.contains(&kind) || !valid.contains(&code) {
        return Err(invalid_value(format!("ICMP type {kind} or code {code} is out of range")));
    }
    Ok((kind, code))
}

/// Rules as `DescribeSecurityGroups` shows them: one permission per protocol and port range.
pub(crate) fn grouped(account: &str, rules: &[Rule]) -> Vec<IpPermission> {
    let mut permissions: Vec<IpPermission> = Vec::new();
    for rule in rules {
        let same = |p: &IpPermission| {
            p.ip_protocol.as_ref() == Some(&rule.ip_protocol)
                && (p.from_port, p.to_port) == (rule.from_port, rule.to_port)
        };
        let at = permissions.iter().position(same).unwrap_or(permissions.len());
        if at == permissions.len() {
            let (ip_protocol, from_port, to_port) = (Some(rule.ip_protocol.clone()), rule.from_port, rule.to_port);
            permissions.push(IpPermission { ip_protocol, from_port, to_port, ..IpPermission::default() });
        }
        let description = rule.description.clone();
        match &rule.peer {
            Peer::Cidr(block) => {
                permissions[at].ip_ranges.push(IpRange { cidr_ip: Some(block.clone()), description });
            }
            Peer::Group(id) => permissions[at].user_id_group_pairs.push(UserIdGroupPair {
                group_id: Some(id.clone()),
                group_name: None,
                user_id: Some(account.to_owned()),
                description,
            }),
        }
    }
    permissions
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permission(protocol: &str, ports: Option<(i32, i32)>, blocks: &[&str]) -> IpPermission {
        let range = |block: &&str| IpRange { cidr_ip: Some((*block).to_owned()), description: None };
        IpPermission {
            ip_protocol: Some(protocol.to_owned()),
            from_port: ports.map(|ports| ports.0),
            to_port: ports.map(|ports| ports.1),
            ip_ranges: blocks.iter().map(range).collect(),
            ..IpPermission::default()
        }
    }

    fn one(permission: IpPermission) -> Result<Draft, Fault> {
        drafts(&[permission]).map(|drafts| drafts[0].clone())
    }

    #[test]
    fn protocols_and_ports() {
        assert_eq!(
            one(permission("6", Some((443, 443)), &["10.0.0.9/8"])).unwrap().worded(),
            "peer: 10.0.0.0/8, TCP, from port: 443, to port: 443, ALLOW"
        );
        assert_eq!(one(permission("tcp", Some((-1, -1)), &["0.0.0.0/0"])).unwrap().ports, Some((0, 65_535)));
        assert_eq!(one(permission("-1", Some((1, 2)), &["0.0.0.0/0"])).unwrap().ports, None);
        assert_eq!(one(permission("icmp", None, &["0.0.0.0/0"])).unwrap().ports, Some((-1, -1)));
        for (protocol, ports) in [("tcp", None), ("tcp", Some((2, 1))), ("udp", Some((0, 65_536))), ("tpc", None)] {
            assert_eq!(one(permission(protocol, ports, &["0.0.0.0/0"])).unwrap_err().code, "InvalidParameterValue");
        }
        assert_eq!(one(permission("-1", None, &["10.0.0.0"])).unwrap_err().code, "InvalidParameterValue");
        assert_eq!(one(permission("-1", None, &[])).unwrap_err().code, "InvalidParameterValue");
    }

    #[test]
    fn rules_come_back_grouped() {
        let permissions = [
            permission("tcp", Some((443, 443)), &["10.0.0.0/8", "192.168.0.0/16"]),
            permission("-1", None, &["0.0.0.0/0"]),
        ];
        let rules: Vec<_> = drafts(&permissions).unwrap().into_iter().map(|d| d.rule("sgr-1".to_owned())).collect();
        assert_eq!(rules.len(), 3);
        assert_eq!(grouped("111122223333", &rules), permissions);
    }
}
