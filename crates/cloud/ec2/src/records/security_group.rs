use eksile_store::Record;
use serde::{Deserialize, Serialize};

use super::Tags;

/// A stateful packet filter that interfaces are members of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecurityGroup {
    /// `sg-…`.
    pub group_id: String,
    /// Unique within the VPC.
    pub group_name: String,
    /// Free text.
    pub description: String,
    /// The VPC it belongs to.
    pub vpc_id: String,
    /// What may come in.
    pub ingress: Vec<Rule>,
    /// What may go out.
    pub egress: Vec<Rule>,
    /// User tags.
    pub tags: Tags,
}

/// One permission: one protocol and port range, one peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// `sgr-…`.
    pub rule_id: String,
    /// `tcp`, `udp`, `icmp`, a protocol number, or `-1` for all.
    pub ip_protocol: String,
    /// First port (or ICMP type); absent with protocol `-1`.
    pub from_port: Option<i32>,
    /// Last port (or ICMP code); absent with protocol `-1`.
    pub to_port: Option<i32>,
    /// The other end.
    pub peer: Peer,
    /// Free text.
    pub description: Option<String>,
}

/// The other end of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "value", rename_all = "kebab-case")]
pub enum Peer {
    /// An IPv4 block.
    Cidr(String),
    /// The private addresses of a group's members.
    Group(String),
}

impl Record for SecurityGroup {
    const SERVICE: &'static str = "ec2";
    const KIND: &'static str = "security-group";

    fn id(&self) -> &str {
        &self.group_id
    }
}
