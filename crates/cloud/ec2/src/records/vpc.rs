use eksile_store::Record;
use serde::{Deserialize, Serialize};

use super::Tags;

/// A virtual private cloud.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vpc {
    /// `vpc-` and 17 hexadecimal digits.
    pub vpc_id: String,
    /// The primary IPv4 block, /16 to /28.
    pub cidr_block: String,
    /// `dopt-…`; the account's default set unless another was associated.
    pub dhcp_options_id: String,
    /// Whether this is the account's default VPC in the Region.
    pub is_default: bool,
    /// Whether the resolver at base+2 answers.
    pub enable_dns_support: bool,
    /// Whether instances get public DNS names.
    pub enable_dns_hostnames: bool,
    /// User tags.
    pub tags: Tags,
}

impl Record for Vpc {
    const SERVICE: &'static str = "ec2";
    const KIND: &'static str = "vpc";

    fn id(&self) -> &str {
        &self.vpc_id
    }
}
