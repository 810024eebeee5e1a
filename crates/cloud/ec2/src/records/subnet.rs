use eksile_store::Record;
use serde::{Deserialize, Serialize};

use super::Tags;

/// A subnet: a range of a VPC in one Availability Zone, or on one Outpost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subnet {
    /// `subnet-…`.
    pub subnet_id: String,
    /// The VPC it belongs to.
    pub vpc_id: String,
    /// IPv4 block inside the VPC's, /16 to /28; the first four and the last address are reserved.
    pub cidr_block: String,
    /// Zone name, such as `us-west-2a`; an Outpost's subnet bears the Outpost's parent Zone.
    pub availability_zone: String,
    /// Zone id, such as `usw2-az1`.
    pub availability_zone_id: String,
    /// Set when the subnet lies on an Outpost.
    pub outpost_arn: Option<String>,
    /// Whether instances launched here get a public address.
    pub map_public_ip_on_launch: bool,
    /// Whether this is the default subnet of its Zone.
    pub default_for_az: bool,
    /// User tags.
    pub tags: Tags,
}

impl Subnet {
    /// The site that hosts this subnet: the Outpost's id (`op-…`), or the Region's name for its Zones.
    #[must_use]
    pub fn site<'a>(&'a self, region: &'a str) -> &'a str {
        self.outpost_arn.as_deref().and_then(|arn| arn.rsplit('/').next()).unwrap_or(region)
    }
}

impl Record for Subnet {
    const SERVICE: &'static str = "ec2";
    const KIND: &'static str = "subnet";

    fn id(&self) -> &str {
        &self.subnet_id
    }
}
