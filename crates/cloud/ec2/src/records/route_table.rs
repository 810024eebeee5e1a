use eksile_store::Record;
use serde::{Deserialize, Serialize};

use super::Tags;

/// Where packets of a set of subnets go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteTable {
    /// `rtb-…`.
    pub route_table_id: String,
    /// The VPC it belongs to.
    pub vpc_id: String,
    /// The association id that makes it the VPC's main table, if it is.
    pub main_association_id: Option<String>,
    /// Explicit associations.
    pub associations: Vec<Association>,
    /// Routes; the VPC's local route is the first and cannot be removed.
    pub routes: Vec<Route>,
    /// User tags.
    pub tags: Tags,
}

/// A subnet bound to a route table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Association {
    /// `rtbassoc-…`.
    pub association_id: String,
    /// The subnet.
    pub subnet_id: String,
}

/// One route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// Destination, as an IPv4 block.
    pub destination_cidr_block: String,
    /// Where it leads.
    pub target: RouteTarget,
}

/// What a route points at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "id", rename_all = "kebab-case")]
pub enum RouteTarget {
    /// The VPC itself.
    Local,
    /// `igw-…`.
    InternetGateway(String),
    /// `nat-…`.
    NatGateway(String),
    /// `lgw-…`.
    LocalGateway(String),
    /// `eni-…`.
    NetworkInterface(String),
}

impl Record for RouteTable {
    const SERVICE: &'static str = "ec2";
    const KIND: &'static str = "route-table";

    fn id(&self) -> &str {
        &self.route_table_id
    }
}
